import { expect } from 'chai';
import fc from 'fast-check';
import type { ClientBase, Pool } from 'pg';
import { EventId, newId, TenantId } from '../../../src/events/ids.ts';
import { inTransaction } from '../../../src/postgres/transaction.ts';
import {
  addIntents,
  type ClaimedIntent,
  claimIntents,
  finishIntents,
  type Lane,
  markAllFirst,
  markFirst,
  type NewIntent,
  postponeIntent,
} from '../../../src/processes/engine/intent-queue.ts';
import { type OpenedPool, openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

const tenant_id = newId(TenantId);
const CLAIM_MS = 60_000;

const instanceId = (n: number): string => `01939e00-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** The intents of one reaction of an instance. */
const reactionOf = (instance: number, count: number): NewIntent[] => {
  const event_id = newId(EventId);
  return Array.from({ length: count }, (_, n) => ({
    process: 'p',
    instance_id: instanceId(instance),
    tenant_id,
    workflow_id: null,
    event_id,
    n,
    intent: { kind: 'remove-object' as const, key: `${n}`, give_up_at: '2030-01-01T00:00:00.000Z' },
    meta: { correlation_id: 'c' },
    give_up_at: null,
  }));
};

const store = (pool: Pool, intents: readonly NewIntent[]) =>
  inTransaction(pool, (client) => addIntents(client, intents));

interface Wanted {
  owner?: string;
  limit?: number;
  ended?: readonly Lane[];
}

const claim = (client: Pick<Pool, 'query'>, { owner = 'a', limit = 16, ended = [] }: Wanted = {}) =>
  claimIntents(client, { owner, limit, claim_ms: CLAIM_MS, ended });

const finish = (pool: Pool, claimed: readonly ClaimedIntent[]) =>
  finishIntents(
    pool,
    claimed.map(({ id }) => ({ id, outcome: 'done' })),
  );

describe('the queue of intents', () => {
  let database: TestDatabase;
  let opened: OpenedPool;
  let pool: Pool;

  before(async () => {
    database = await testDatabase();
    opened = openPool(database.connection_string, 3);
    pool = opened.pool;
  });
  beforeEach(() => pool.query('truncate process_intents'));
  after(async () => {
    await opened.close();
    await database.close();
  });

  /** What this connection has read of the table and not reported yet. */
  const read = async (client: ClientBase): Promise<number> => {
    const { rows } = await client.query<{ read: number }>(
      `select (seq_tup_read + idx_tup_fetch)::integer as read from pg_stat_xact_user_tables
       where relname = 'process_intents'`,
    );
    return rows[0]?.read ?? 0;
  };

  /** How many rows of the table were read by `work`. */
  const rowsRead = (work: (client: ClientBase) => Promise<unknown>): Promise<number> =>
    inTransaction(pool, async (client) => {
      const before = await read(client);
      await work(client);
      return (await read(client)) - before;
    });

  /** Of a claim of 5 intents while there is work of many instances, four intents each. */
  const readByClaim = async (inFlight: number, analyse: 'before' | 'after' | 'never'): Promise<number> => {
    await pool.query('truncate process_intents');
    await pool.query('delete from pg_statistic where starelid = $1::regclass', ['process_intents']);
    if (analyse === 'before') await pool.query('analyze process_intents');
    const all = Array.from({ length: inFlight }, (_, n) => reactionOf(n, 4));
    await store(pool, all.flat());
    await claim(pool, { owner: 'other', limit: 5 });
    if (analyse === 'after') await pool.query('analyze process_intents');
    return rowsRead(async (client) => expect(await claim(client, { limit: 5 })).to.have.length(5));
  };

  for (const analyse of ['before', 'after', 'never'] as const) {
    it(`looks at few rows for a claim, however many wait, whatever the planner knows (analysed ${analyse})`, async () => {
      const few = await readByClaim(10, analyse);
      const many = await readByClaim(2000, analyse);
      expect(many).to.be.at.most(few + 100);
    });
  }

  it('claims the next intent of a lane that has just ended, before others', async () => {
    await store(pool, [...reactionOf(1, 2), ...reactionOf(2, 1), ...reactionOf(3, 1)]);
    const first = await claim(pool, { limit: 1 });
    expect(await claim(pool, { limit: 0, ended: first })).to.be.empty;
    await finish(pool, first);
    const next = await claim(pool, { limit: 2, ended: first });
    expect(next.map(({ instance_id, n }) => [instance_id, n])).to.have.deep.members([
      [instanceId(1), 1],
      [instanceId(2), 0],
    ]);
  });

  it('finds an intent that was stored while the one before it ended', async () => {
    await store(pool, reactionOf(1, 1));
    const first = await claim(pool);
    const waiting = await inTransaction(pool, async (client) => {
      const waiting = await addIntents(client, reactionOf(1, 1));
      await finish(pool, first);
      // Whoever ended the first one cannot see the second one yet.
      expect(await claim(pool, { ended: first })).to.be.empty;
      return waiting;
    });
    expect(waiting.map(({ instance_id }) => instance_id)).to.deep.equal([instanceId(1)]);
    await markFirst(pool, waiting);
    expect(await claim(pool)).to.have.length(1);
  });

  it('finds what a dispatcher that died had claimed', async () => {
    await store(pool, reactionOf(1, 2));
    const first = await claim(pool);
    await finish(pool, first);
    expect(await claim(pool, { owner: 'dies', ended: first })).to.have.length(1);
    await markAllFirst(pool);
    expect(await claim(pool)).to.be.empty;
    await pool.query('update process_intents set claimed_until = now() where done_at is null');
    await markAllFirst(pool);
    expect(await claim(pool)).to.have.length(1);
  });

  const owner = fc.constantFrom('a', 'b');
  const pick = fc.nat({ max: 50 });
  const act = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('store' as const), instance: fc.nat({ max: 2 }), count: pick }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('claim' as const), owner, limit: fc.integer({ min: 1, max: 3 }) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('finish' as const), owner, pick }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('postpone' as const), owner, pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('die' as const), owner }) },
  );
  type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

  /** Two dispatchers that claim, end, fail and die. Returns the ended intents by instance, in the order of their ends. */
  const run = async (acts: readonly Act[]): Promise<{ ended: Map<string, string[]>; stored: number }> => {
    await pool.query('truncate process_intents');
    const held = { a: [] as ClaimedIntent[], b: [] as ClaimedIntent[] };
    const lanes = { a: [] as Lane[], b: [] as Lane[] };
    const ended = new Map<string, string[]>();
    let stored = 0;
    const end = async (by: 'a' | 'b', intent: ClaimedIntent) => {
      await finish(pool, [intent]);
      lanes[by].push(intent);
      ended.set(intent.instance_id, [...(ended.get(intent.instance_id) ?? []), intent.id]);
    };
    const take = async (by: 'a' | 'b', limit: number) => {
      held[by].push(...(await claim(pool, { owner: by, limit, ended: lanes[by] })));
      lanes[by] = [];
    };
    for (const each of acts) {
      if (each.do === 'store') {
        const count = 1 + (each.count % 3);
        stored += count;
        await markFirst(pool, await store(pool, reactionOf(each.instance, count)));
      }
      if (each.do === 'claim') await take(each.owner, each.limit);
      if (each.do === 'die') {
        await pool.query('update process_intents set claimed_until = now() where claimed_by = $1', [each.owner]);
        held[each.owner] = [];
        lanes[each.owner] = [];
      }
      if (each.do !== 'finish' && each.do !== 'postpone') continue;
      const [intent] = held[each.owner].splice(each.pick % Math.max(1, held[each.owner].length), 1);
      if (intent && each.do === 'finish') await end(each.owner, intent);
      if (intent && each.do === 'postpone') await postponeIntent(pool, intent.id, { error: 'e', delay_ms: 0 });
    }
    for (const by of ['a', 'b'] as const) for (const intent of held[by].splice(0)) await end(by, intent);
    for (let round = 0; round <= stored; round += 1) {
      await markAllFirst(pool);
      await take('a', 16);
      for (const intent of held.a.splice(0)) await end('a', intent);
    }
    return { ended, stored };
  };

  it('gives each intent once, in the order of its lane, and forgets none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
        const { ended, stored } = await run(acts);
        const all = [...ended.values()];
        expect(all.flat()).to.have.length(stored);
        for (const ids of all) expect(ids).to.deep.equal(ids.toSorted((a, b) => Number(a) - Number(b)));
      }),
      { numRuns: 40 },
    );
  });
});
