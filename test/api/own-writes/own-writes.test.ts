import { expect } from 'chai';
import type { Log, SubscribeOptions } from '../../../src/ports/log.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';
import { startSecondProcess } from './second-process.ts';

const TRIES = 20;
const ADA = { email: 'ada@example.org', role: 'developer' } as const;

describe('what a user has written', () => {
  let first: RunningApi;
  let second: Awaited<ReturnType<typeof startSecondProcess>>;
  before(async () => {
    first = await startApi();
    second = await startSecondProcess(first);
  });
  after(async () => {
    await second.close();
    await first.close();
  });

  const inBoth = () => [first, second] as const;
  const pathOf = (answer: Reply): string => answer.headers.get('location') ?? '';
  const found = async (each: (n: number) => Promise<Reply>): Promise<number[]> => {
    const statuses: number[] = [];
    for (let n = 0; n < TRIES; n += 1) statuses.push((await each(n)).status);
    return [...new Set(statuses)];
  };

  it('is read at its Location straight after the answer', async () => {
    for (const caller of [first.as(ADA), first.admin]) {
      const statuses = await found(async (n) => {
        const made = await caller.post('/projects', { name: `${caller.token} ${n}` });
        return caller.get(pathOf(made));
      });
      expect(statuses).to.deep.equal([200]);
    }
  });

  it('is read in the process that did not answer, though membership decides whether it is seen', async () => {
    const [ada, elsewhere] = inBoth().map((api) => api.as(ADA));
    const read = async (n: number) => {
      const made = await ada!.post('/projects', { name: `elsewhere ${n}` });
      return elsewhere!.get(pathOf(made));
    };
    expect(await found(read)).to.deep.equal([200]);
  });

  it('is in lists, in the audit log and in /auth/me, in either process', async () => {
    const made = await first.admin.post('/projects', { name: 'listed' });
    const { id } = made.body;
    const lists = await Promise.all(inBoth().map(({ admin }) => admin.get('/projects?name=listed')));
    expect(lists.map(({ body }) => body.items.length)).to.deep.equal([1, 1]);
    const changed = await first.admin.call('PATCH', `/projects/${id}`, { description: 'changed' });
    const audits = await Promise.all(inBoth().map(({ admin }) => admin.get(`/audit/events?resource_id=${id}&limit=1`)));
    const position = changed.headers.get('position');
    expect(audits.map(({ body }) => body.items[0].position)).to.deep.equal([position, position]);

    const ada = first.as(ADA);
    const { user_id } = (await ada.get('/auth/me')).body;
    await second.admin.call('PUT', `/users/${user_id}/permissions`, { role: 'viewer', scopes: [] });
    const me = await Promise.all(inBoth().map((api) => api.as(ADA).get('/auth/me')));
    expect(me.map(({ body }) => body.role)).to.deep.equal(['viewer', 'viewer']);
  });

  it('is changed in one process on the answer of the other', async () => {
    const statuses = await found(async (n) => {
      const made = await first.admin.post('/projects', { name: `handed on ${n}` });
      return second.admin.call('PATCH', pathOf(made), { description: 'from there' });
    });
    expect(statuses).to.deep.equal([200]);
  });

  it('is waited for, then 503, while the read model stands still; who has written nothing reads on', async () => {
    const made = await first.admin.post('/projects', { name: 'before' });
    const bob = first.as({ email: 'bob@example.org', role: 'admin' });
    expect((await bob.get(pathOf(made))).status).to.equal(200);
    const client = await first.services.pool.connect();
    try {
      // Others may read the table, and nobody may write to it.
      await client.query('begin');
      await client.query('lock table projects in exclusive mode');
      await first.admin.post('/projects', { name: 'after' });
      const [own, others] = await Promise.all([first.admin.get('/projects'), bob.get('/projects')]);
      expect([own.status, own.body.code, own.headers.get('retry-after')]).to.deep.equal([
        503,
        'read-model-behind',
        '1',
      ]);
      expect(others.status).to.equal(200);
    } finally {
      await client.query('rollback');
      client.release();
    }
    const { body } = await first.admin.get('/projects?name=after');
    expect(body.items).to.have.length(1);
  });
});

describe('a process to which the tail of the log brings nothing', () => {
  let first: RunningApi;
  before(async () => {
    first = await startApi();
  });
  after(() => first.close());

  it('reads on before it answers, so that it shows what another process has answered', async () => {
    const nothing = async function* ({ signal }: SubscribeOptions): AsyncGenerator<never> {
      await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
    };
    const silent = (log: Log): Log => ({
      ...log,
      subscribe: (options) => (options.live ? nothing(options) : log.subscribe(options)),
    });
    const second = await startSecondProcess(first, silent);
    try {
      for (let n = 0; n < TRIES; n += 1) {
        const made = await first.admin.post('/projects', { name: `unheard ${n}` });
        expect((await second.admin.get(made.headers.get('location') ?? '')).status).to.equal(200);
      }
    } finally {
      await second.close();
    }
  });
});
