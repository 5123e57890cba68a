import type { ClientBase, Pool } from 'pg';
import type { RecordedEvent } from '../../events/event.ts';
import type { Log, LogImport } from '../../ports/log.ts';
import type { Process } from '../../processes/process.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { assertNobodyWorks } from '../log-positions/nobody-works.ts';
import { readAuditEvents, readAuditRows } from './audit-events.ts';
import { compareAudit, type Findings, openComparison, readFindings, readLog } from './compare-audit.ts';
import { keepLostEvents } from './lost-events.ts';
import { type TakenOver, takeOver } from './take-over.ts';
import { findUnrecoverable, type Unrecoverable } from './unrecoverable.ts';

/*
 * The way back from a log that has lost its end. Each step can be repeated, so that after a kill the same command goes on:
 *
 *     compare -> mark as begun -> append what is missing -> compare again -> move all positions, unmark
 *                             \-> keep what is lost in a file (--accept-loss) -/
 *
 * Until the last step, which is one transaction, the database holds the positions of before, and no BudApp starts.
 */

/** What `heal` found, before it changes anything. */
export interface Diagnosis extends Findings {
  unrecoverable: Unrecoverable;
  /** False: other events stand where the missing ones were, so that they cannot be appended again. */
  possible: boolean;
}

export interface HealOptions {
  /** The database of the audit and of all positions. */
  pool: Pool;
  log: Pick<Log, 'subscribe'> & LogImport;
  log_id: string;
  processes: readonly Process[];
  /** Events an append, at most. */
  batch: number;
  /** Takes the log as it is, and gives up what it does not have. */
  accept_loss: boolean;
  /** A file that does not exist yet, for the events that are given up. */
  lost_events: string;
  /** Whether to go on. `possible` of the diagnosis is true, or the loss is accepted. */
  confirm(diagnosis: Diagnosis): Promise<boolean>;
  onProgress(appended: number, of: number): void;
}

export type Healed =
  | { outcome: 'impossible' | 'declined'; diagnosis: Diagnosis }
  | { outcome: 'done'; diagnosis: Diagnosis; appended: number; kept: number; taken: TakenOver };

const diagnose = async (client: ClientBase): Promise<Diagnosis> => {
  const findings = await readFindings(client);
  const { missing, gapped, displaced, unknown } = findings;
  const unrecoverable = await findUnrecoverable(client, missing.events + gapped.events + displaced.events > 0);
  // What has been read must come before what has not: appended now, the missing ones would stand after the unknown.
  const possible = displaced.events === 0 && (missing.events === 0 || unknown.events === 0);
  return { ...findings, unrecoverable, possible };
};

const MISSING = "(select position from audit_now where fate = 'missing')";
const LOST = "(select position from audit_now where fate in ('missing', 'gapped', 'displaced'))";

const appendMissing = async (client: ClientBase, options: HealOptions, { missing }: Diagnosis): Promise<number> => {
  const { log, batch, onProgress } = options;
  let appended = 0;
  let waiting: RecordedEvent[] = [];
  const flush = async () => {
    await log.importEvents(waiting);
    appended += waiting.length;
    waiting = [];
    onProgress(appended, missing.events);
    killPoint('log heal: events appended');
  };
  for await (const event of readAuditEvents(client, MISSING)) if (waiting.push(event) >= batch) await flush();
  if (waiting.length > 0) await flush();
  killPoint('log heal: all appended');
  return appended;
};

/** One at a time: the lock ends with the connection. */
const LOCK = `select pg_try_advisory_lock(hashtextextended('budapp log heal', 0)) as locked`;

const assertAlone = async (client: ClientBase): Promise<void> => {
  const { rows } = await client.query<{ locked: boolean }>(LOCK);
  if (!rows[0]?.locked) throw new MoveRefused('another "budapp log heal" is at work.', 'Wait until it has ended.');
  await assertNobodyWorks(client);
};

/** A log with another id may be a new, empty one that is to get everything; never one whose events would count instead. */
const assertOwnLog = async (
  client: ClientBase,
  { log_id, accept_loss }: HealOptions,
  found: Findings,
): Promise<void> => {
  const { rowCount } = await client.query('select from checkpoint_log where log_id <> $1', [log_id]);
  if (rowCount === 0 || (!accept_loss && found.unknown.events === 0 && found.displaced.events === 0)) return;
  throw new MoveRefused(
    'the log is another one than the log that this database has followed.',
    'Set EVENTSTORE_URL as it was. To move to another log: "budapp log copy".',
  );
};

/** From now on no BudApp starts on this database, until positions and log fit together again. */
const begin = async (client: ClientBase): Promise<void> => {
  await client.query('insert into log_healing default values on conflict do nothing');
  // After the mark: who has started before it is seen here.
  await assertNobodyWorks(client);
  killPoint('log heal: begun');
};

const healOn = async (client: ClientBase, options: HealOptions): Promise<Healed> => {
  const { log, accept_loss } = options;
  const last = await openComparison(client, log);
  const diagnosis = await diagnose(client);
  await assertOwnLog(client, options, diagnosis);
  if (!diagnosis.possible && !accept_loss) return { outcome: 'impossible', diagnosis };
  if (!(await options.confirm(diagnosis))) return { outcome: 'declined', diagnosis };
  await begin(client);
  let appended = 0;
  if (!accept_loss && diagnosis.missing.events > 0) {
    appended = await appendMissing(client, options, diagnosis);
    await readLog(client, log, last);
    await compareAudit(client);
  }
  const { missing, gapped, displaced } = await readFindings(client);
  const lost = missing.events + gapped.events + displaced.events;
  const kept = lost === 0 ? 0 : await keepLostEvents(options.lost_events, readAuditRows(client, LOST));
  killPoint('log heal: lost events kept');
  const taken = await takeOver(client, { ...options, rebuild: accept_loss });
  return { outcome: 'done', diagnosis, appended, kept, taken };
};

/**
 * Makes a log whole again from the audit, and moves every stored position to where its event is now. Throws `MoveRefused`
 * and `RowNotWhole`; after either the same call can be made again.
 */
export const heal = async (options: HealOptions): Promise<Healed> => {
  const client = await options.pool.connect();
  try {
    await assertAlone(client);
    return await healOn(client, options);
  } finally {
    // Before this resolves, so that the next call finds nobody. Where the connection is lost, its end does both.
    await client.query('rollback').catch(() => undefined);
    await client.query('select pg_advisory_unlock_all()').catch(() => undefined);
    // Closes the connection, and with it the temporary tables.
    client.release(true);
  }
};
