/** The local cluster in a process of its own, to be killed: `service-process.ts <data dir> <callback url> <token>`. */
import { pino } from 'pino';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';

const [data_dir = '', url = '', token = ''] = process.argv.slice(2);
const service = await createLocalCluster({
  ...{ data_dir, callback: { url, token }, engines: ENGINES, log: pino({ level: 'silent' }) },
});
process.send?.({ url: service.url });
