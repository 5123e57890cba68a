import { Worker } from 'node:worker_threads';

const POLL_MS = 500;

/**
 * Ends this process when its parent has ended, however that ended. The IPC channel says so at once, but only an idle
 * event loop hears it: inference blocks the main thread, so a thread of its own looks as well.
 */
export const endWithParent = (parentPid: number): void => {
  process.once('disconnect', () => process.exit(0));
  if (process.ppid !== parentPid) process.exit(0);
  const source = `setInterval(() => { if (process.ppid !== ${parentPid}) process.kill(process.pid, 'SIGKILL'); }, ${POLL_MS});`;
  new Worker(source, { eval: true }).unref();
};
