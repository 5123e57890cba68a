import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { anEvent, connect, listed, withDouble } from '../opened.ts';

const SERVE = fileURLToPath(new URL('../serve.ts', import.meta.url));
const Ready = z.object({
  ready: z.literal(true),
  version: z.string(),
  url: z.string(),
  control_port: z.int().nullable(),
});

const serve = async (...args: string[]): Promise<z.output<typeof Ready> & { child: ChildProcess }> => {
  const child = spawn(process.execPath, [SERVE, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { ...Ready.parse(JSON.parse(String(line))), child };
};

const end = async (child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<unknown[]> => {
  const exited = once(child, 'exit');
  child.kill(signal);
  return exited;
};

describe('The journal of the EventStoreDB double', () => {
  let directory: string;
  let journal: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'eventstore-double-'));
    journal = join(directory, 'journal');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('gives back events, positions and deletions after a restart', async () => {
    let before: string[] = [];
    let position: unknown;
    await withDouble({ journal }, async ({ append, client }) => {
      ({ position } = await append('s', [anEvent(), anEvent()]));
      await append('gone', anEvent());
      await client.tombstoneStream('gone');
      await append('hidden', anEvent());
      await client.deleteStream('hidden');
      before = await listed(client.readAll());
    });
    await withDouble({ journal }, async ({ append, client }) => {
      expect(await listed(client.readAll())).to.deep.equal(before);
      for await (const { event } of client.readStream('s', { fromRevision: 1n }))
        expect(event?.position).to.deep.equal(position);
      expect((await append('hidden', anEvent(), 'no_stream')).nextExpectedRevision).to.equal(1n);
      expect((await append('s', anEvent(), 1n)).nextExpectedRevision).to.equal(2n);
    });
  });

  for (const [how, tear] of [
    ['cut short', async (path: string) => truncate(path, (await stat(path)).size - 3)],
    ['followed by garbage', (path: string) => appendFile(path, Buffer.from('00000010ffff', 'hex'))],
  ] as const)
    it(`drops a last record that is ${how}, with all events of its append`, async () => {
      await withDouble({ journal }, async ({ append }) => {
        await append('s', anEvent());
        if (how === 'cut short') await append('s', [anEvent(), anEvent()]);
      });
      await tear(journal);
      await withDouble({ journal }, async ({ append, client }) => {
        expect(await listed(client.readStream('s'))).to.deep.equal(['s@0']);
        await append('s', anEvent(), 0n);
      });
      await withDouble({ journal }, async ({ client }) => {
        expect(await listed(client.readStream('s'))).to.deep.equal(['s@0', 's@1']);
      });
    });

  it('loses the tail that is taken away', async () => {
    await withDouble({ journal }, async ({ append, double }) => {
      await append('s', [anEvent(), anEvent()]);
      await double.loseTail(1);
    });
    await withDouble({ journal }, async ({ client }) => {
      expect(await listed(client.readStream('s'))).to.deep.equal(['s@0']);
    });
  });

  it('holds what was answered when its process is killed in the middle of appends', async () => {
    const first = await serve('--journal', journal);
    const { append, dispose } = connect(first.url);
    const answered: string[] = [];
    const busy = Array.from({ length: 20 }, async (_, n) => {
      for (let revision = 0; ; revision += 1) {
        await append(`s-${n}`, anEvent(revision), revision === 0 ? 'no_stream' : BigInt(revision - 1));
        answered.push(`s-${n}@${revision}`);
        if (answered.length === 200) await end(first.child, 'SIGKILL');
      }
    });
    await Promise.allSettled(busy);
    await dispose();
    await withDouble({ journal }, async ({ client }) => {
      expect(answered.length).to.be.at.least(200);
      expect(await listed(client.readAll())).to.include.members(answered);
    });
  });

  it('is kept by a process of its own that can be told over HTTP what goes wrong', async () => {
    const { child, url, version, control_port } = await serve('--journal', journal, '--control-port', '0');
    const { append, client, dispose } = connect(url);
    const control = async (method: string, path: string, body?: object): Promise<[number, unknown]> => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const answer = await fetch(`http://127.0.0.1:${control_port}${path}`, init);
      return [answer.status, await answer.json()];
    };
    expect(version).to.include('test-double');
    await append('s', anEvent());
    expect(await control('POST', '/faults', { call: 'read', kind: 'not-ready', times: 1 })).to.have.property('0', 200);
    expect(await listed(client.readStream('s')).catch((error: unknown) => error)).to.be.instanceOf(Error);
    expect((await control('POST', '/faults', { call: 'read', kind: 'nonsense' }))[0]).to.equal(400);
    expect((await control('POST', '/nowhere'))[0]).to.equal(404);
    expect(await control('POST', '/backup', { name: 'one' })).to.have.nested.property('[1].events', 4);
    await append('s', anEvent());
    expect(await control('POST', '/start', { backup: 'one' })).to.have.nested.property('[1].events', 4);
    expect((await control('POST', '/start', { backup: 'two' }))[0]).to.equal(400);
    const [, state] = await control('POST', '/start', { log: 'lose' });
    expect(state).to.deep.include({ url, running: true, events: 3 });
    await dispose();
    expect(await end(child, 'SIGTERM')).to.deep.equal([0, null]);
  });

  it('is cut by a process that comes back with events that the others lack, and then ends itself with code 0', async () => {
    const { child, url, control_port } = await serve('--journal', journal, '--control-port', '0');
    const { append, dispose } = connect(url);
    await append('s', [anEvent(), anEvent(), anEvent()]);
    await dispose();
    const exited = once(child, 'exit');
    const order = { method: 'POST', body: JSON.stringify({ events: 2 }) };
    const { status } = await fetch(`http://127.0.0.1:${control_port}/truncate-and-exit`, order);
    expect([status, ...(await exited)]).to.deep.equal([200, 0, null]);
    await withDouble({ journal }, async ({ client }) => {
      expect(await listed(client.readStream('s'))).to.deep.equal(['s@0']);
    });
  });
});
