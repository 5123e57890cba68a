import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PATIENCE_MS = 120_000;

/** Starts BudApp with settings that cannot work; answers how it ended, and all that it said. */
export const startWrongly = async (
  settings: Readonly<Record<string, string>>,
  dataDir: string,
): Promise<{ code: number | null; output: string }> => {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: { PATH, HOME, PORT: '0', DATA_DIR: dataDir, START_TIMEOUT_SECONDS: '2', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += String(chunk);
    });
  }
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const [code] = await once(child, 'close');
  clearTimeout(late);
  return { code, output };
};
