import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ArtefactKind, Engine } from '../../../../src/local/engine/engine.ts';
import { forkReplica } from '../../../../src/local/engine/fork-replica.ts';

const MAIN = fileURLToPath(new URL('./echo-replica-process.ts', import.meta.url));

const echoText: ArtefactKind = {
  format: 'echo',
  title: 'Echo',
  one: 'an echo text',
  file_name: 'greeting.echo',
  matches: ({ name }) => name.endsWith('.echo'),
  async inspect(path) {
    const bytes = await readFile(path);
    const text = bytes.toString();
    if (!text.includes('\n')) return { accepted: false, reason: 'an echo text is at least one line' };
    return {
      accepted: true,
      facts: {
        author: 'nobody',
        description: text.trim(),
        license: null,
        architecture: { lines: text.split('\n').length },
      },
      issues: text.includes('rm -rf') ? [{ severity: 'HIGH', title: 'Rude', description: 'it says rm -rf' }] : [],
      file_size_bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
  },
};

const isGreeted = async (port: number, signal: AbortSignal): Promise<boolean> => {
  const response = await fetch(`http://127.0.0.1:${port}/hello`, { signal }).catch(() => null);
  return (await response?.text().catch(() => null)) === 'hello';
};

/** A second engine, of which nothing outside this folder knows. */
export const echo: Engine = {
  name: 'echo',
  artefact: echoText,
  launch: (options) => forkReplica(MAIN, options),
  isAlive: isGreeted,
  isReady: isGreeted,
  async check({ url, headers }, signal) {
    const startedAt = performance.now();
    const response = await fetch(`${url}/say`, { method: 'POST', body: 'test', headers, signal }).catch(() => null);
    if (!response?.ok) return { measured: false, reason: 'it does not answer' };
    return { measured: true, mean_latency_ms: performance.now() - startedAt, inputs: 'the word test', calls: 1 };
  },
  serves: (path) => ['/say', '/hello'].includes(path),
  infers: (method, path) => method === 'POST' && path === '/say',
  headers: [],
  paths: () => ['/say', '/hello'],
  footprint: () => ({ cpu_millis: 10, memory_mib: 32 }),
};
