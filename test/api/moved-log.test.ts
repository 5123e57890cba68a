import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { type Reply, type RunningApi, startApi } from './running-api.ts';

/** Well formed, but of EventStoreDB, while this API works with the log in Postgres. */
const OF_ANOTHER_LOG = '00000000000003e8-00000000000003e8';
/** For so long a read waits for a position that may still come. */
const FRESHNESS_TIMEOUT_MS = 5000;

describe('a position from before the log was moved', () => {
  let api: RunningApi;
  let project: Reply;
  before(async () => {
    api = await startApi();
    await api.admin.get('/auth/me');
    project = await api.admin.post('/projects', { name: 'moved' });
    expect((await api.admin.getAfter(project, `/audit/events`)).status).to.equal(200);
  });
  after(() => api.close());

  const expectUnknown = ({ status, body }: Reply) => {
    expect([status, body.code], JSON.stringify(body)).to.deep.equal([422, 'unknown-position']);
    expect(body.hint).to.match(/Read again/);
  };

  it('is refused where freshness is asked for, at once and not after waiting', async () => {
    for (const path of ['/projects', `/projects/${project.body.id}`, '/audit/events']) {
      const started = performance.now();
      expectUnknown(await api.admin.call('GET', path, undefined, { 'min-position': OF_ANOTHER_LOG }));
      expect(performance.now() - started, path).to.be.lessThan(FRESHNESS_TIMEOUT_MS);
    }
  });

  it('is refused as a time in the past, as a cursor and as the name of an event', async () => {
    expectUnknown(await api.admin.get(`/audit/project/${project.body.id}/state?as_of=${OF_ANOTHER_LOG}`));
    for (const order of ['newest-first', 'oldest-first'])
      expectUnknown(await api.admin.get(`/audit/events?cursor=${OF_ANOTHER_LOG}&order=${order}`));
    expectUnknown(await api.admin.get(`/audit/events/${OF_ANOTHER_LOG}`));
  });

  it('is refused as a cursor whose event is another one now; one without the digits of an event is not', async () => {
    const { body } = await api.admin.get('/audit/events?limit=1&order=oldest-first');
    const cursor: string = body.next_cursor;
    const [position, digits] = cursor.split('~');
    expect(digits).to.equal(body.items[0].event_id.slice(0, 8));
    const next = (await api.admin.get(`/audit/events?limit=1&order=oldest-first&cursor=${cursor}`)).body.items;
    expect(next[0].position > (position ?? '')).to.equal(true);
    const without = await api.admin.get(`/audit/events?limit=1&order=oldest-first&cursor=${position}`);
    expect(without.body.items).to.deep.equal(next);
    const other = digits === '00000000' ? '11111111' : '00000000';
    for (const path of ['/audit/events', `/audit/project/${project.body.id}`])
      expectUnknown(await api.admin.get(`${path}?cursor=${position}~${other}`));
  });

  it('makes the live stream send reset and continue from now', async () => {
    const headers = { authorization: `Bearer ${api.admin.token}` };
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=${OF_ANOTHER_LOG}`, { headers });
    const frames: { type: string; data: { position?: string; name?: string } }[] = [];
    const next = async () => frames.push(JSON.parse(String((await once(socket, 'message'))[0])));
    await next();
    expect(frames[0]).to.include({ type: 'bud.stream.reset' });
    expect(frames[0]?.data.position).to.match(/^\d{16}$/);
    await api.admin.post('/projects', { name: 'after the move' });
    while (frames.at(-1)?.data.name !== 'after the move') await next();
    socket.close();
  });
});
