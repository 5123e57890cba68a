import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { Position } from '../../../src/events/event.ts';
import { EventId } from '../../../src/events/ids.ts';
import { forgetKeptAnchors, keepAnchors, readAnchors } from '../../../src/wiring/log-fence/anchors.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

const anId = () => EventId.parse(randomUUID());
const at = (position: string) => Position.parse(position);

describe('the anchors in the database', () => {
  let database: TestDatabase;
  let pool: Pool;
  let closePool: () => Promise<void>;
  beforeEach(async () => {
    database = await testDatabase();
    ({ pool, close: closePool } = openPool(database.connection_string));
  });
  afterEach(async () => {
    await closePool();
    await database.close();
  });

  it('are the events at the checkpoints, and the newest ones of some streams of the audit', async () => {
    const id = anId();
    await pool.query("insert into projections (name, version, position, event_id) values ('m', 1, '20', $1)", [id]);
    await pool.query("insert into projections (name, version) values ('unread', 1)");
    await pool.query("insert into process_checkpoints (reader, position) values ('processes', '19')");
    for (let n = 10; n < 19; n += 1)
      await pool.query(
        `insert into audit_log (position, tenant_id, at, stream, area, revision, event_id, event_type, command, command_id,
           actor_type, actor_id, actor_name, correlation_id, data)
         values ($1, $2, now(), $3, 'project', 0, $2, 'Made', 'Make', $2, 'service', 'test', 'Test', $2, '{}')`,
        [String(n), anId(), `project-${n % 3}`],
      );
    const anchors = await readAnchors(pool);
    expect(anchors.map(({ position, stream }) => [position, stream])).to.deep.equal([
      ['16', 'project-1'],
      ['17', 'project-2'],
      ['18', 'project-0'],
      ['19', null],
      ['20', null],
    ]);
    expect(anchors.at(-1)?.event_id).to.equal(id);
    expect(anchors.at(-2)?.event_id).to.equal(null);
  });

  it('are those, too, that were missed, until they are forgotten', async () => {
    const missed = { position: at('30'), event_id: anId(), stream: 'project-1' };
    const unnamed = { position: at('31'), event_id: null, stream: null };
    await keepAnchors(pool, [missed, unnamed]);
    await keepAnchors(pool, [missed]);
    expect(await readAnchors(pool)).to.deep.equal([missed]);
    await forgetKeptAnchors(pool);
    expect(await readAnchors(pool)).to.deep.equal([]);
  });

  it('are never those of another event: who moves a position alone empties the id beside it', async () => {
    const id = anId();
    const event_id = async (sql: string, values: unknown[] = []) => {
      await pool.query(sql, values);
      return (await pool.query("select event_id from projections where name = 'm'")).rows[0].event_id;
    };
    await pool.query("insert into projections (name, version, position, event_id) values ('m', 1, '1', $1)", [id]);
    expect(await event_id('update projections set updated_at = now()')).to.equal(id);
    expect(await event_id("update projections set position = '2', event_id = $1", [anId()])).not.to.equal(null);
    expect(await event_id("update projections set position = '3'")).to.equal(null);
  });
});
