import type { ClientBase } from 'pg';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { Process } from '../../processes/process.ts';
import { auditLog } from '../../projections/audit-log.ts';
import { readModelCatalog } from '../../projections/catalog.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import {
  adoptLog,
  dropBuilds,
  isReadModelKnown,
  moveProcesses,
  moveReadModels,
  resetReadModels,
} from '../log-positions/move-positions.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { assertNobodyWorks } from '../log-positions/nobody-works.ts';
import { createPositionMap } from '../log-positions/position-map.ts';
import { type LostWork, settleLostWork } from './lost-work.ts';
import { type Orphan, removeOrphans } from './orphans.ts';

export interface TakeOverOptions {
  log: Pick<Log, 'subscribe'>;
  log_id: string;
  processes: readonly Process[];
  /** True: the read models are built anew from the log. False: those only that have taken in what is lost. */
  rebuild: boolean;
}

export interface TakenOver {
  rebuilt: readonly string[];
  /** Deployments that are removed after the start. */
  orphans: readonly Orphan[];
  work: Pick<LostWork, 'refolded' | 'gone' | 'reopened'>;
}

/** The events of the audit that the log does not have, and does not get. */
const IS_LOST = "fate in ('missing', 'gapped', 'displaced')";

const MAP_HELD = `
  insert into position_map (before, after)
  select position, case fate when 'held' then now else position end from audit_now where fate in ('held', 'removed')`;

/** Where nothing is lost, what the audit has not read yet is where others have read it. */
const MAP_UNREAD = `
  insert into position_map (before, after)
  select l.position, l.position from log_now l
  where not exists (select from audit_now a where a.now = l.position)
    and not exists (select from audit_now a where ${IS_LOST})
  on conflict do nothing`;

const IN_ANOTHER_ORDER = `
  select before from (select before, after, lag(after) over (order by before) as previous from position_map) as pair
  where after <= previous limit 1`;

const mapPositions = async (client: ClientBase): Promise<void> => {
  await createPositionMap(client);
  await client.query(MAP_HELD);
  await client.query(MAP_UNREAD);
  await client.query('analyze position_map');
  const { rows } = await client.query<{ before: string }>(IN_ANOTHER_ORDER);
  if (rows[0])
    throw new MoveRefused(
      `the log has the event at ${rows[0].before} in another order than it was read in.`,
      'Restore the log and the database from backups of the same time.',
    );
};

/** The last event before the first one that the audit does not have; null: it has all of them. */
const BEFORE_UNREAD = `
  select first.position as unread, (select max(a.now) from audit_now a where a.fate = 'held' and a.now < first.position) as before
  from (select min(l.position) as position from log_now l
        where not exists (select from audit_now a where a.fate = 'held' and a.now = l.position)) as first
  where first.position is not null`;

/**
 * A checkpoint must not be behind what nobody has read yet. Going back is harmless: what was taken in before is
 * recognised.
 */
const moveBack = async (client: ClientBase): Promise<void> => {
  const { rows } = await client.query<{ before: Position | null }>(BEFORE_UNREAD);
  const [unread] = rows;
  if (!unread) return;
  for (const table of ['projections', 'projection_builds'])
    await client.query(`update ${table} set position = $1 where position > $1 or $1::text is null`, [unread.before]);
  if (unread.before === null) await client.query('delete from process_checkpoints');
  else await client.query('update process_checkpoints set position = $1 where position > $1', [unread.before]);
};

/** What the fence looks for in the log. The tables themselves empty `event_id` when a position moves. */
const setAnchors = async (client: ClientBase): Promise<void> => {
  for (const table of ['projections', 'projection_builds', 'process_checkpoints'])
    await client.query(
      `update ${table} t set event_id = a.event_id from audit_now a where a.fate = 'held' and a.now = t.position`,
    );
};

const moveModels = async (client: ClientBase, rebuild: boolean): Promise<string[]> => {
  await client.query(`delete from audit_log a using audit_now n where n.position = a.position and ${IS_LOST}`);
  await client.query(
    `delete from parked_events p where projection = $1
       and not exists (select from position_map m where m.before = p.position)`,
    [auditLog.name],
  );
  if (!(await isReadModelKnown(client, auditLog.name))) await dropBuilds(client, [auditLog.name]);
  const moved = [auditLog.name];
  const rebuilt: string[] = [];
  for (const { name } of readModelCatalog) {
    if (name === auditLog.name) continue;
    if (!rebuild && (await isReadModelKnown(client, name))) moved.push(name);
    else rebuilt.push(name);
  }
  await resetReadModels(client, rebuilt);
  await moveReadModels(client, moved);
  return rebuilt;
};

async function* upTo(log: Pick<Log, 'subscribe'>, position: Position): AsyncGenerator<RecordedEvent, undefined> {
  for await (const item of log.subscribe({ after: 'start', live: false })) {
    if ('caughtUp' in item) continue;
    if (item.position > position) return;
    yield item;
  }
}

/** The furthest position that the processes count as read; null: they begin at the start. */
const checkpointOf = async (client: ClientBase): Promise<Position | null> => {
  const { rows } = await client.query<{ position: Position | null }>(
    'select max(position) as position from process_checkpoints',
  );
  return rows[0]?.position ?? null;
};

/**
 * Moves every stored position to where its event is in the log now, in one transaction; `log_now` and `audit_now` are
 * those of `client`. What belongs to events that the log does not have is given up. Throws `MoveRefused`; nothing is
 * changed then.
 */
export const takeOver = async (client: ClientBase, options: TakeOverOptions): Promise<TakenOver> => {
  const { log, log_id, processes, rebuild } = options;
  await mapPositions(client);
  await client.query('begin');
  const work = await settleLostWork(client, { processes, isLost: IS_LOST });
  const orphans = await removeOrphans(client, IS_LOST);
  const rebuilt = await moveModels(client, rebuild);
  await moveProcesses(client);
  await moveBack(client);
  await setAnchors(client);
  const checkpoint = await checkpointOf(client);
  if (checkpoint !== null) await work.refold(upTo(log, checkpoint));
  await adoptLog(client, log_id);
  await client.query('delete from log_healing');
  await assertNobodyWorks(client);
  killPoint('log heal: moved, not committed');
  await client.query('commit');
  killPoint('log heal: committed');
  const { refolded, gone, reopened } = work;
  return { rebuilt, orphans, work: { refolded, gone, reopened } };
};
