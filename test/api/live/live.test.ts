import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createCallers } from '../../../src/api/callers/caller.ts';
import { serveClient } from '../../../src/api/live/client.ts';
import { createHub } from '../../../src/api/live/hub.ts';
import { createViewers } from '../../../src/api/live/viewers.ts';
import type { Tokens } from '../../../src/ports/identity.ts';
import { createStatusMapper } from '../../../src/projections/engine/status-feed.ts';
import { checkedFetch } from '../checked-fetch.ts';
import { type RunningApi, startApi } from '../running-api.ts';

interface Frame {
  type: string;
  position?: string;
  cursor?: string;
  projectid?: string;
  data: Record<string, unknown>;
}

/** A client that keeps what it is sent. */
const listen = async (api: RunningApi, query: string, token: string | null) => {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?${query}`, { headers });
  const frames: Frame[] = [];
  const news = new EventEmitter();
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)));
    news.emit('frame');
  });
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  await Promise.race([once(socket, 'open'), closed]);
  return {
    socket,
    frames,
    closed,
    positions: () => frames.map(({ position }) => position),
    async until(isThere: (frame: Frame) => boolean): Promise<Frame> {
      for (;;) {
        const found = frames.find(isThere);
        if (found) return found;
        await once(news, 'frame');
      }
    },
  };
};

const named = (name: string) => (frame: Frame) => frame.data.name === name;

describe('the live stream', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
    await api.admin.get('/auth/me');
  });
  after(() => api.close());

  const create = (name: string) => api.admin.post('/projects', { name });

  it('sends what was from the start, then what comes, without a gap or a duplicate', async () => {
    for (let index = 0; index < 20; index += 1) await create(`before-${index}`);
    const racing = Promise.all(Array.from({ length: 30 }, (_, index) => create(`during-${index}`)));
    const client = await listen(api, 'from=start&area=project', api.admin.token);
    await racing;
    await create('last');
    await client.until(named('last'));
    const names = client.frames
      .filter(({ type }) => type === 'bud.project.project-created')
      .map(({ data }) => data.name);
    const wanted = [...Array(20).keys()]
      .map((n) => `before-${n}`)
      .concat([...Array(30).keys()].map((n) => `during-${n}`));
    expect(names).to.include.members(wanted);
    expect(new Set(client.positions()).size).to.equal(client.frames.length);
    expect(client.positions()).to.deep.equal([...client.positions()].sort());
    client.socket.close();
  });

  it('goes on after the position that a client names', async () => {
    await create('seen');
    const write = await create('also seen');
    await create('missed');
    const client = await listen(api, `from=${write.headers.get('position')}&area=project`, api.admin.token);
    await client.until(named('missed'));
    expect(client.frames.map(({ data }) => data.name)).to.deep.equal(['missed']);
    client.socket.close();
  });

  describe('from now, while the log is slow to say where it ends', () => {
    let head: RunningApi['services']['log']['head'];
    before(() => {
      const { log } = api.services;
      head = log.head.bind(log);
      log.head = async () => {
        await sleep(300);
        return head();
      };
    });
    after(() => {
      api.services.log.head = head;
    });

    it('sends over WebSocket what is written once the socket is open', async () => {
      const client = await listen(api, 'area=project', api.admin.token);
      await create('written at once');
      await sleep(400);
      await create('written later');
      await client.until(named('written later'));
      expect(client.frames.map(({ data }) => data.name)).to.deep.equal(['written at once', 'written later']);
      client.socket.close();
    });

    it('sends what is written before the token came as the first message', async () => {
      const client = await listen(api, 'from=now&area=project', null);
      await create('before the token');
      client.socket.send(JSON.stringify({ access_token: api.admin.token }));
      await sleep(400);
      await create('after the token');
      await client.until(named('after the token'));
      expect(client.frames.map(({ data }) => data.name)).to.deep.equal(['before the token', 'after the token']);
      client.socket.close();
    });

    it('sends as server-sent events what is written once the headers came', async () => {
      const stop = new AbortController();
      const headers = { authorization: `Bearer ${api.admin.token}` };
      const response = await checkedFetch(`${api.url}/stream/events?area=project`, { headers, signal: stop.signal });
      await create('sse at once');
      await sleep(400);
      await create('sse later');
      let text = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        if (text.includes('sse later')) break;
      }
      expect(text).to.contain('sse at once');
      stop.abort();
    });
  });

  it('closes gaps that the bus leaves from the log', async () => {
    const client = await listen(api, 'from=now&area=project', api.admin.token);
    const { bus } = api.services;
    const publish = bus.publish.bind(bus);
    const lost = once(api.server, 'lost');
    bus.publish = async (message) => {
      if (!message.payload.includes('lost on the way')) return publish(message);
      api.server.emit('lost');
    };
    await create('lost on the way');
    await lost;
    await create('arrives');
    await client.until(named('arrives'));
    bus.publish = publish;
    expect(client.frames.map(({ data }) => data.name)).to.deep.equal(['lost on the way', 'arrives']);
    client.socket.close();
  });

  it('shows a client only what it may see, and more once it may', async () => {
    const person = api.as({ email: 'watcher@example.org', role: 'developer' });
    const { body: me } = await person.get('/auth/me');
    const secret = await create('secret');
    const client = await listen(api, 'from=start&area=project', person.token);
    await api.admin.post(`/projects/${secret.body.id}/members`, { user_id: me.user_id, scopes: ['project:view'] });
    await api.admin.call('PATCH', `/projects/${secret.body.id}`, { name: 'not secret' });
    await client.until(({ type }) => type === 'bud.project.project-renamed');
    const mine = client.frames.filter(({ data }) => data.project_id !== me.default_project_id);
    // The history before it was let in is history of a project that it may see now.
    expect(new Set(mine.map(({ data }) => data.project_id))).to.deep.equal(new Set([secret.body.id]));
    client.socket.close();
  });

  it('sends reset and starts at the end where the position is beyond the log', async () => {
    const client = await listen(api, 'from=zzzzzzzz', api.admin.token);
    const first = await client.until(() => true);
    expect(first.type).to.equal('bud.stream.reset');
    await create('after the reset');
    await client.until(named('after the reset'));
    client.socket.close();
  });

  it('goes on after the cursor of a frame, and sends reset where another event is there', async () => {
    const first = await listen(api, 'from=now&area=project', api.admin.token);
    await create('with a cursor');
    const { cursor = '' } = await first.until(named('with a cursor'));
    first.socket.close();
    await create('after the cursor');
    const again = await listen(api, `from=${cursor}&area=project`, api.admin.token);
    await again.until(named('after the cursor'));
    expect(again.frames.map(({ type, data }) => [type, data.name])).to.deep.equal([
      ['bud.project.project-created', 'after the cursor'],
    ]);
    again.socket.close();

    const foreign = `${cursor.slice(0, -1)}${cursor.endsWith('0') ? '1' : '0'}`;
    const elsewhere = await listen(api, `from=${foreign}&area=project`, api.admin.token);
    const reset = await elsewhere.until(() => true);
    expect([reset.type, reset.data.reason]).to.deep.include('bud.stream.reset');
    expect(reset.data.reason).to.have.property('code', 'cannot-continue');
    await create('after another reset');
    await elsewhere.until(named('after another reset'));
    expect(elsewhere.frames).to.have.length(2);
    elsewhere.socket.close();
  });

  it('refuses bad positions and tokens with a problem document', async () => {
    const refusal = async (query: string, token: string) => {
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?${query}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      socket.on('error', () => undefined);
      const [, response] = await once(socket, 'unexpected-response');
      return response.statusCode;
    };
    expect(await refusal('from=not%20a%20position', api.admin.token)).to.equal(400);
    expect(await refusal('colour=red', api.admin.token)).to.equal(400);
    expect(await refusal('from=now', 'forged')).to.equal(401);
  });

  it('takes the token as the first message, as browsers must', async () => {
    const client = await listen(api, 'from=start', null);
    client.socket.send(JSON.stringify({ access_token: api.admin.token }));
    await client.until(({ type }) => type === 'bud.project.project-created');
    client.socket.close();
    const forger = await listen(api, 'from=start', null);
    forger.socket.send(JSON.stringify({ access_token: 'forged' }));
    expect((await forger.closed)[0]).to.equal(4401);
    expect(forger.frames).to.deep.equal([]);
  });

  it('ends with the token that it was opened with', async () => {
    const tokens: Tokens = api.identity.issue({ email: 'brief@example.org', role: 'viewer', lifetime: 1 });
    const client = await listen(api, 'from=now', tokens.access_token);
    expect((await client.closed)[0]).to.equal(4401);
  });

  it('cuts off a client that leaves more than 1 MiB lying', async () => {
    const { log, bus, logger } = api.services;
    const hub = await createHub({ log, bus, mapper: createStatusMapper({ log }), logger });
    const callers = createCallers(api.services);
    const { token } = api.admin;
    const { promise: ended, resolve: end } = Promise.withResolvers<string>();
    const sent = new EventEmitter();
    let lying = 0;
    const texts: string[] = [];
    const transport = {
      encoding: { encode: (text: string) => Buffer.from(text) },
      write: (bytes: Buffer) => {
        texts.push(String(bytes));
        sent.emit('frame');
      },
      beat: () => undefined,
      buffered: () => lying,
      end,
    };
    const caller = await callers.fromToken(token);
    const throttled = (say: () => void) => say();
    const viewers = createViewers({ hub, log, callers });
    serveClient({
      hub,
      log,
      callers,
      viewers,
      logger,
      throttled,
      transport,
      caller,
      token,
      query: { from: 'now', area: 'project' },
      opened: { head: await log.head() },
    });
    for (const name of ['taken', 'taken too']) {
      const arrived = once(sent, 'frame');
      await create(name);
      await arrived;
    }
    lying = 2 ** 20 + 1;
    await create('not taken');
    expect(await ended).to.equal('too-slow');
    const [, last, reset] = texts.map((text) => JSON.parse(text));
    expect(reset).to.deep.include({ type: 'bud.stream.reset' });
    expect(reset.data.reason.code).to.equal('too-slow');
    expect(reset.data.position).to.equal(last.position);
    viewers.close();
    await hub.close();
  });

  it('sends the same as server-sent events, and goes on after Last-Event-ID', async () => {
    const before = await create('sse before');
    const stop = new AbortController();
    const response = await checkedFetch(`${api.url}/stream/events?area=project`, {
      headers: { authorization: `Bearer ${api.admin.token}`, 'last-event-id': before.headers.get('position') ?? '' },
      signal: stop.signal,
    });
    expect(response.headers.get('content-type')).to.match(/^text\/event-stream/);
    await create('sse after');
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('sse after')) break;
    }
    expect(text).to.match(/^id: \w+~[0-9a-f]{8}$/m);
    expect(text).to.not.contain('sse before');
    stop.abort();
  });
});
