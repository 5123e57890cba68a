/** Runs NATS from the folder that is its argument, until it is told to close or is killed. */
import { startNats } from './nats.ts';

const nats = await startNats({ dir: process.argv[2] ?? '' });
process.once('message', async () => {
  await nats.close();
  process.exit(0);
});
process.send?.({ nats_url: nats.settings.NATS_URL });
