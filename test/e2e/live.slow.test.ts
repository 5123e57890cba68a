import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { checkedFetch } from '../api/checked-fetch.ts';
import { eventually } from '../eventually.ts';
import { type Ask, admin, type Person } from './asking.ts';
import { type BudApp, startBudApp } from './budapp.ts';

const SERVICE_TOKEN = 'a-service-token-of-the-tests';

interface Seen {
  position: string;
  cursor: string;
  type: string;
  id: string;
}

/** Takes frames until it has so many, or until it is told to stop; the connection is then cut without a word. */
const takeOverWebSocket = async (url: string, token: string, from: string) => {
  const address = new URL(`/stream?from=${from}`, url);
  address.protocol = 'ws:';
  const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } });
  const frames: Seen[] = [];
  socket.on('error', () => undefined);
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  await once(socket, 'open');
  return { frames, cut: () => socket.terminate() };
};

/** The same as server-sent events, from `Last-Event-ID` on. */
const takeOverSse = async (url: string, token: string, from: string) => {
  const stop = new AbortController();
  const response = await checkedFetch(new URL('/stream/events', url), {
    headers: { authorization: `Bearer ${token}`, 'last-event-id': from },
    signal: stop.signal,
  });
  expect(response.headers.get('content-type')).to.match(/event-stream/);
  const frames: Seen[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        const id = /^id: (.*)$/m.exec(block)?.[1];
        if (!data || !id) continue;
        const frame: Seen = JSON.parse(data);
        expect(frame.cursor).to.equal(id);
        frames.push(frame);
      }
    }
  };
  const reading = read().catch(() => undefined);
  return {
    frames,
    cut: () => {
      stop.abort();
      void reading;
    },
  };
};

describe('the live stream on bad days', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let person: Person;
  let ask: Ask;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-live-'));
    await start();
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async () => {
    budapp = await startBudApp(dataDir, { DAPR_API_TOKEN: SERVICE_TOKEN });
    person = await admin(budapp.url);
    ask = person.ask;
  };

  const make = async (name: string): Promise<{ id: string; position: string }> => {
    const { status, body, headers } = await ask('POST', '/projects', { json: { name } });
    expect(status, JSON.stringify(body)).to.equal(201);
    return { id: body.id, position: headers.get('position') ?? '' };
  };

  /** A message that fits nothing is recorded as ignored with what it brought: as large a frame as there can be. */
  const deliverLarge = async (workflow_id: string) => {
    const content = { title: 'x', message: 'x', status: 'COMPLETED', result: 'x'.repeat(900_000) };
    const payload = { category: 'internal', type: 'deploy_model', event: 'no_such_step', workflow_id, content };
    const { status, body } = await ask('POST', '/notifications', {
      json: { id: crypto.randomUUID(), payload },
      headers: { 'dapr-api-token': SERVICE_TOKEN },
    });
    expect([status, body.status]).to.deep.equal([200, 'SUCCESS']);
  };

  /** Positions of all that the log holds about projects after this one, oldest first. */
  const expected = async (after: string): Promise<string[]> => {
    const positions: string[] = [];
    let cursor = after;
    for (;;) {
      const { body } = await ask('GET', `/audit/events?area=project&order=oldest-first&limit=200&cursor=${cursor}`);
      positions.push(...body.items.map(({ position }: Seen) => position));
      if (!body.has_more) return positions;
      cursor = body.next_cursor;
    }
  };

  for (const [title, take] of [
    ['WebSocket', takeOverWebSocket],
    ['server-sent events', takeOverSse],
  ] as const) {
    it(`loses and doubles nothing over many broken connections in the midst of traffic, over ${title}`, async () => {
      const first = await make(`first over ${title}`);
      let last = first.position;
      const seen: Seen[] = [];
      let writing = true;
      const writes = Promise.all(
        Array.from({ length: 4 }, async (_, writer) => {
          for (let n = 0; n < 40; n += 1) last = (await make(`${title} ${writer}-${n}`)).position;
        }),
      ).finally(() => {
        writing = false;
      });
      let from = first.position;
      let cursor = from;
      let connections = 0;
      const isDone = () => !writing && seen.at(-1)?.position !== undefined && (seen.at(-1)?.position ?? '') >= last;
      while (!isDone()) {
        const stream = await take(budapp.url, person.token, cursor);
        connections += 1;
        await eventually(
          'frames come',
          async () =>
            stream.frames.length >= 12 || (!writing && (stream.frames.at(-1)?.position ?? from) >= last) ? true : null,
          { longestPauseMs: 5 },
        );
        stream.cut();
        seen.push(...stream.frames);
        from = seen.at(-1)?.position ?? from;
        cursor = seen.at(-1)?.cursor ?? cursor;
      }
      await writes;
      expect(connections).to.be.at.least(3);
      const projects = seen.filter(({ type }) => type.startsWith('bud.project.')).map(({ position }) => position);
      await eventually('the audit log has it all', async () =>
        (await ask('GET', '/audit/events?limit=1')).body.items[0].position >= last ? true : null,
      );
      expect(projects).to.deep.equal((await expected(first.position)).filter((position) => position <= from));
      expect(new Set(projects).size).to.equal(projects.length);
    });
  }

  it('goes on from the last position after the server was killed and started again', async () => {
    const first = await make('before the end');
    const stream = await takeOverWebSocket(budapp.url, person.token, first.position);
    const shown = await make('shown before the end');
    await eventually('it is shown', async () => (stream.frames.at(-1)?.position === shown.position ? true : null));
    const missed = await make('while nobody looked');
    await budapp.kill();
    stream.cut();
    await start();
    const next = await make('after the start');
    const resumed = await takeOverWebSocket(budapp.url, person.token, shown.position);
    await eventually('it is shown', async () => (resumed.frames.at(-1)?.position === next.position ? true : null));
    resumed.cut();
    const projects = resumed.frames.filter(({ type }) => type.startsWith('bud.project.'));
    expect(projects.map(({ position }) => position)).to.deep.equal([missed.position, next.position]);
  });

  it('sends reset where a position cannot be continued, and continues with new events', async () => {
    const stream = await takeOverWebSocket(budapp.url, person.token, '9999999999999999');
    await eventually('the reset comes', async () =>
      stream.frames.some(({ type }) => type === 'bud.stream.reset') ? true : null,
    );
    const { position } = await make('after the reset');
    await eventually('what comes is shown', async () =>
      stream.frames.some((frame) => frame.position === position) ? true : null,
    );
    stream.cut();
    expect(stream.frames[0]?.type).to.equal('bud.stream.reset');
  });

  it('refuses a position that is none, and a stream without a token', async () => {
    for (const [path, headers, status] of [
      ['/stream/events?from=%00', {}, 400],
      ['/stream/events?from=a%20b', {}, 400],
      ['/stream/events', { 'last-event-id': 'a b' }, 400],
      ['/stream/events?colour=red', {}, 400],
      ['/stream/events', { authorization: '' }, 401],
    ] as const) {
      const reply = await ask('GET', path, { headers });
      expect(reply.status, path).to.equal(status);
    }
    const address = new URL('/stream', budapp.url);
    address.protocol = 'ws:';
    const socket = new WebSocket(address, { headers: { authorization: 'Bearer nonsense' } });
    const [error] = await once(socket, 'error');
    expect(String(error)).to.include('401');
  });

  it('disconnects a client that does not read, and keeps serving the others', async () => {
    const { port, hostname } = new URL(budapp.url);
    const slow = connect(Number(port), hostname);
    slow.on('error', () => undefined);
    const closed = once(slow, 'close');
    const lines = ['GET /stream/events?from=now HTTP/1.1', 'Host: x', `Authorization: Bearer ${person.token}`];
    slow.write(`${lines.join('\r\n')}\r\n\r\n`);
    await once(slow, 'readable');
    // From here on it reads nothing more: the bytes pile up in the kernel first, then in the server.
    slow.pause();
    const other = await takeOverWebSocket(budapp.url, person.token, 'now');
    const json = { name: 'talkative', source: 'huggingface', repo_id: 'meta-llama/Llama-2-7b' };
    const { body: model } = await ask('POST', '/models/cloud', { json });
    await eventually('its workflow has begun', async () =>
      (await ask('GET', `/workflows/${model.workflow_id}`)).status === 200 ? true : null,
    );
    for (let n = 0; n < 12; n += 1) await deliverLarge(model.workflow_id);
    const { position } = await make('after much');
    await eventually('the other has seen all', async () =>
      (other.frames.at(-1)?.position ?? '') >= position ? true : null,
    );
    other.cut();
    const large = other.frames.filter(({ type }) => type.endsWith('workflow-message-ignored'));
    expect(large.length).to.be.at.least(12);
    // The end of the connection is the server's doing: nobody here closes it.
    slow.resume();
    await closed;
  });
});
