/**
 * One replica: `replica-main.ts --model-path <file> --model-name <name> --parent <pid> --marker <text>`, started with an IPC channel. It
 * reports its port when the model is loaded, serves until SIGTERM, and never outlives its parent. The marker is not
 * read: it makes the process recognisable in the process table.
 */
import { parseArgs } from 'node:util';
import { failureText } from '../../../failures/failure-text.ts';
import { startChildWatchdog } from '../../machine/child-watchdog.ts';
import type { ReplicaReport } from '../replica-report.ts';
import { LoadFailed, type ModelThread, openModelThread } from './model-thread.ts';
import { startInferenceServer } from './server.ts';

const { values } = parseArgs({
  options: {
    'model-path': { type: 'string', default: '' },
    'model-name': { type: 'string', default: '' },
    parent: { type: 'string', default: '' },
    marker: { type: 'string' },
  },
});

const say = (text: string) => process.stdout.write(`${new Date().toISOString()} ${text}\n`);

/** Resolves when the message is on its way, so that an exit right after does not lose it. */
const report = (message: ReplicaReport) =>
  new Promise<void>((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });

/** What runs inference is of no use any more: the supervisor starts this replica again. */
const onBroken = (why: string): void => {
  say(why);
  process.exit(1);
};

const load = async (): Promise<ModelThread> => {
  try {
    return await openModelThread({ name: values['model-name'], path: values['model-path'] }, onBroken);
  } catch (error) {
    const reason = failureText(error);
    say(`cannot load ${values['model-path']}: ${error instanceof LoadFailed ? error.log : reason}`);
    await report({ type: 'failed', reason });
    process.exit(1);
  }
};

let stop = async (): Promise<void> => {};
process.once('SIGTERM', () => {
  say('stopping');
  void stop().then(() => process.exit(0));
});
// The terminal's Ctrl-C reaches the whole process group; the parent decides when its replicas stop.
process.on('SIGINT', () => say('ignoring SIGINT: the parent ends me'));
const parent_pid = Number(values.parent);
// The channel says at once that the parent has ended, but only an idle event loop hears it: the watchdog looks as well.
process.once('disconnect', () => process.exit(0));
if (process.ppid !== parent_pid) process.exit(0);
await startChildWatchdog({ parent_pid });

const startedAt = performance.now();
const model = await load();
say(`loaded ${values['model-name']} in ${Math.round(performance.now() - startedAt)} ms`);
const server = await startInferenceServer({
  model,
  onError: (error) => say(`request failed: ${error instanceof Error ? error.stack : error}`),
});
stop = () => server.close();
say(`serving on 127.0.0.1:${server.port}`);
await report({ type: 'ready', port: server.port });
