import { type ExecFileOptions, execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LONGEST_OUTPUT = 64 * 1024 * 1024;
const LAST_LINES = 15;

interface RunOptions {
  cwd?: string;
  /** On top of this process's own. */
  env?: Readonly<Record<string, string>>;
  /** As whom it runs; default: as this process. */
  user?: { uid?: number; gid?: number };
  /** Milliseconds; default: five minutes. */
  patience_ms?: number;
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-LAST_LINES).join('\n');

/** What a failed command said, as far as it fits into a message. */
const lastWordsOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const { stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
  return lastLines(`${stdout ?? ''}\n${stderr ?? ''}`) || error.message;
};

/** Runs a program to its end and answers what it printed, errors included. Throws with its last lines where it fails. */
export const runCommand = async (
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> => {
  const { cwd, env, user, patience_ms = 300_000 } = options;
  const settings: ExecFileOptions = {
    env: { ...process.env, ...env },
    timeout: patience_ms,
    maxBuffer: LONGEST_OUTPUT,
    ...(cwd === undefined ? {} : { cwd }),
    ...(user?.uid === undefined ? {} : { uid: user.uid }),
    ...(user?.gid === undefined ? {} : { gid: user.gid }),
  };
  try {
    const { stdout, stderr } = await run(program, [...args], { ...settings, encoding: 'utf8' });
    return `${stdout}${stderr}`;
  } catch (cause) {
    throw new Error(`${[program, ...args].join(' ')} failed: ${lastWordsOf(cause)}`, { cause });
  }
};

/** Where a program is on the PATH; null where it is not. */
export const findOnPath = async (program: string): Promise<string | null> => {
  try {
    return (await runCommand('/bin/sh', ['-c', 'command -v "$1"', 'sh', program])).trim() || null;
  } catch {
    return null;
  }
};
