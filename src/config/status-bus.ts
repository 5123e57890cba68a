import { z } from 'zod';
import { serverUrls } from './setting-kinds.ts';

/** The bus that carries status messages from the feed to the clients. */
export const StatusBusSettings = z.object({
  NATS_URL: serverUrls(['nats:', 'tls:']).optional(),
});

export const statusBusOf = (env: z.output<typeof StatusBusSettings>) => ({
  /** Servers, separated by commas; null: status messages stay in this process. */
  nats_url: env.NATS_URL ?? null,
});
