import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const LOOK_EVERY_MS = 200;

/** Runs in a thread: while native code works, nothing else on the main thread gets to run. Text, so that it starts at once. */
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const look = () => {
  const isOver = workerData.max_memory_bytes !== null && process.memoryUsage.rss() > workerData.max_memory_bytes;
  if (isOver || process.ppid !== workerData.parent_pid) process.kill(process.pid, 'SIGKILL');
};
look();
setInterval(look, ${LOOK_EVERY_MS});
parentPort.postMessage('watching');
`;

/**
 * Kills this process when its parent has ended, however that ended, or when it takes more than `max_memory_bytes`.
 * Resolves once it watches, and does not keep the process alive.
 */
export const startChildWatchdog = async ({
  parent_pid,
  max_memory_bytes = null,
}: {
  parent_pid: number;
  max_memory_bytes?: number | null;
}): Promise<void> => {
  const thread = new Worker(SOURCE, { eval: true, workerData: { parent_pid, max_memory_bytes } });
  await once(thread, 'message');
  thread.unref();
};
