import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from '../../../src/local/machine/free-port.ts';

/** Handed out by this process and maybe not listened on yet. */
const handedOut = new Set<number>();

const freePort = async (): Promise<number> => {
  const port = await findFreePort();
  if (handedOut.has(port)) return freePort();
  handedOut.add(port);
  return port;
};

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
};

const readKept = async (file: string): Promise<number | null> => {
  try {
    const port = Number((await readFile(file, 'utf8')).trim());
    return Number.isInteger(port) && port > 0 ? port : null;
  } catch {
    return null;
  }
};

/**
 * A free port of the loopback interface, remembered in `<dir>/<name>.port`, so that addresses given out in an earlier
 * run still hold. A port that somebody else has taken meanwhile is replaced.
 */
export const keptPort = async (dir: string, name: string): Promise<number> => {
  const file = join(dir, `${name}.port`);
  const kept = await readKept(file);
  if (kept !== null && (await isFree(kept))) {
    handedOut.add(kept);
    return kept;
  }
  const port = await freePort();
  await mkdir(dir, { recursive: true });
  await writeFile(file, `${port}\n`);
  return port;
};
