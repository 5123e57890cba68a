import { openSystem } from '../system.ts';

/** A runner in a process of its own, to be killed. */
const [connection_string = '', url = ''] = process.argv.slice(2);
const system = await openSystem({ connection_string, url });
system.run(`child-${process.pid}`);
process.send?.('running');
