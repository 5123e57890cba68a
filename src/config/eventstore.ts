import { z } from 'zod';
import { serverUrls } from './setting-kinds.ts';

/** Where the log is. */
export const EventStoreSettings = z.object({
  EVENTSTORE_URL: serverUrls(['esdb:', 'esdb+discover:']).optional(),
});

export const eventStoreOf = (env: z.output<typeof EventStoreSettings>) => ({
  /** Connection string of EventStoreDB; null: the log is in Postgres. */
  eventstore_url: env.EVENTSTORE_URL ?? null,
});
