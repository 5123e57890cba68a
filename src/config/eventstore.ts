import { z } from 'zod';
import { serverUrls } from './setting-kinds.ts';

/** The server was renamed: `kurrentdb` and `kdb` are the same as `esdb`. */
const SCHEMES = ['esdb', 'kurrentdb', 'kdb'].flatMap((name) => [`${name}:`, `${name}+discover:`]);

/** Where the log is. */
export const EventStoreSettings = z.object({
  EVENTSTORE_URL: serverUrls(SCHEMES).optional(),
});

export const eventStoreOf = (env: z.output<typeof EventStoreSettings>) => ({
  /** Connection string of EventStoreDB; null: the log is in Postgres. */
  eventstore_url: env.EVENTSTORE_URL ?? null,
});
