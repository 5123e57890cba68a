import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';

const LOOK_EVERY_MS = 200;

const { parent_pid, max_memory_bytes } = z
  .object({ parent_pid: z.number(), max_memory_bytes: z.number() })
  .parse(workerData);

const look = (): void => {
  if (process.ppid !== parent_pid || process.memoryUsage.rss() > max_memory_bytes) process.kill(process.pid, 'SIGKILL');
};

// A thread of its own: while native code reads a hostile file, nothing else in the process gets to run.
look();
setInterval(look, LOOK_EVERY_MS);
parentPort?.postMessage('watching');
