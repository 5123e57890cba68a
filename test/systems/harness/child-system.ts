import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Launch, type RunningChild, startChild } from './child-process.ts';
import { groupEnded, markRunning, signalGroup, unmark } from './leftover.ts';
import type { System } from './system.ts';

const ASK_AGAIN_MS = 50;
const STOP_PATIENCE_MS = 20_000;
const LAST_LINES = 20;

interface ChildSystemOptions {
  name: string;
  version: string;
  settings: Readonly<Record<string, string>>;
  /** Already claimed with `claimFolder`. Its output is added to `<dir>/<name>.log`. */
  dir: string;
  launch: Launch;
  /** Asks the system itself; rejects while it cannot be used yet. */
  ask: () => Promise<unknown>;
  /** How long a start may take, in milliseconds; default: 30 seconds. */
  patience_ms?: number;
  /** What asks it for an orderly end; default: SIGTERM. */
  stop_signal?: NodeJS.Signals;
  /** Called after it has ended, before `stop` resolves. */
  afterEnd?: () => Promise<void>;
}

const lastWordsIn = async (file: string): Promise<string> => {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-LAST_LINES).join('\n');
};

/** Starts a program and answers it as a `System`, as soon as it says that it can be used. */
export const startChildSystem = async (options: ChildSystemOptions): Promise<System> => {
  const { name, dir, launch, ask, patience_ms = 30_000, stop_signal = 'SIGTERM', afterEnd } = options;
  const log_file = join(dir, `${name}.log`);
  let running: RunningChild | null = null;

  const stop = async (how: 'orderly' | 'kill' = 'orderly'): Promise<void> => {
    if (running === null) return;
    const { pid, ended } = running;
    if (how === 'kill') signalGroup(pid, 'SIGKILL');
    else process.kill(pid, stop_signal);
    const late = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_PATIENCE_MS);
    await ended;
    clearTimeout(late);
    // What its leader left behind.
    signalGroup(pid, 'SIGKILL');
    await groupEnded(pid);
    running = null;
    await afterEnd?.();
    await unmark(dir, name);
  };

  const waitUntilUsable = async (child: RunningChild): Promise<void> => {
    const limit = performance.now() + patience_ms;
    for (;;) {
      try {
        await ask();
        return;
      } catch (cause) {
        const end = child.howEnded();
        const reason = end ?? (performance.now() > limit ? `cannot be used after ${patience_ms / 1000} seconds` : null);
        if (reason !== null)
          throw new Error(`${name} ${reason}; its last words:\n${await lastWordsIn(log_file)}`, { cause });
      }
      await delay(ASK_AGAIN_MS);
    }
  };

  const start = async (): Promise<void> => {
    if (running !== null && running.howEnded() === null) return;
    running = await startChild({ launch, log_file, stop_signal });
    await markRunning(dir, name, running.pid);
    try {
      await waitUntilUsable(running);
    } catch (error) {
      await stop('kill');
      throw error;
    }
  };

  await start();
  return { name, version: options.version, settings: options.settings, start, stop, close: () => stop() };
};
