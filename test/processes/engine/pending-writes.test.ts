import { expect } from 'chai';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { EventId, newId, TenantId } from '../../../src/events/ids.ts';
import { createPendingWrites } from '../../../src/processes/engine/pending-writes.ts';
import { type OpenedPool, openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

const tenant_id = newId(TenantId);
const event_id = EventId.parse('01939e00-0000-7000-8000-000000000001');
const meta = { correlation_id: 'c' };
const instances = ['01939e00-0000-7000-8000-00000000000a', '01939e00-0000-7000-8000-00000000000b'];

const instance_id = fc.constantFrom(...instances);
const timer = fc.constantFrom('deadline', 'check');
const second = fc.integer({ min: 0, max: 50 });
const change = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set' as const), instance_id, timer, second }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), instance_id, timer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop-all' as const), instance_id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('intent' as const), instance_id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('write' as const) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const dueAt = (seconds: number) => new Date(Date.UTC(2026, 10, 22, 12, 0, seconds)).toISOString();

/** What is there when each change is made at once. */
const expected = (changes: readonly Change[]) => {
  const timers = new Map<string, string>();
  const intents: string[] = [];
  for (const each of changes) {
    if (each.do === 'set') timers.set(`${each.instance_id} ${each.timer}`, dueAt(each.second));
    if (each.do === 'drop') timers.delete(`${each.instance_id} ${each.timer}`);
    if (each.do === 'drop-all')
      for (const name of timers.keys()) if (name.startsWith(each.instance_id)) timers.delete(name);
    if (each.do === 'intent') intents.push(`${each.instance_id} ${intents.length}`);
  }
  return { timers: Object.fromEntries([...timers].toSorted()), intents };
};

const stored = async (pool: Pool, changes: readonly Change[]) => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const pending = createPendingWrites();
    let n = 0;
    for (const each of changes) {
      if (each.do === 'write') {
        await pending.write(client);
        continue;
      }
      const key = { process: 'p', instance_id: each.instance_id };
      const common = { ...key, tenant_id, event_id, meta };
      if (each.do === 'set') pending.setTimer({ ...common, n: 0, timer: each.timer, due_at: dueAt(each.second) });
      if (each.do === 'drop') pending.dropTimer(key, each.timer);
      if (each.do === 'drop-all') pending.dropTimers(key);
      if (each.do === 'intent') {
        const intent = { kind: 'remove-object' as const, key: `${n}`, give_up_at: dueAt(0) };
        pending.addIntents([{ ...common, workflow_id: null, n: n++, intent, give_up_at: null }]);
      }
    }
    await pending.write(client);
    const timers = await client.query<{ instance_id: string; timer: string; due_at: Date }>(
      'select * from process_timers',
    );
    const intents = await client.query<{ instance_id: string; n: number }>('select * from process_intents order by id');
    const named = timers.rows.map((row) => [`${row.instance_id} ${row.timer}`, row.due_at.toISOString()] as const);
    return {
      timers: Object.fromEntries(named.toSorted()),
      intents: intents.rows.map((row) => `${row.instance_id} ${row.n}`),
    };
  } finally {
    await client.query('rollback');
    client.release();
  }
};

describe('what a batch of events stores', () => {
  let database: TestDatabase;
  let opened: OpenedPool;

  before(async () => {
    database = await testDatabase();
    opened = openPool(database.connection_string, 1);
  });
  after(async () => {
    await opened.close();
    await database.close();
  });

  it('is what it would be if each change were stored at once, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 20 }), async (changes) => {
        expect(await stored(opened.pool, changes)).to.deep.equal(expected(changes));
      }),
      { numRuns: 60 },
    );
  });
});
