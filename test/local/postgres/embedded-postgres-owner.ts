import { createEmbeddedPostgres } from '../../../src/local/postgres/embedded-postgres.ts';

/** Runs a server until it is killed; says where it is. */
const { connection_string } = await createEmbeddedPostgres({ data_dir: process.argv[2] ?? '' });
process.send?.({ connection_string });
// Held open by the channel to the test.
process.on('message', () => undefined);
