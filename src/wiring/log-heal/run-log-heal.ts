import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { eventStoreLogIdentity } from '../../adapters/eventstore/identity.ts';
import { createEventStoreImport } from '../../adapters/eventstore/import.ts';
import { migrate } from '../../adapters/postgres/migrate.ts';
import type { Config } from '../../config/config.ts';
import { shownUrl } from '../../failures/server-url.ts';
import { createProcesses } from '../../processes/catalog.ts';
import { armKillPoint } from '../../resilience/kill-point.ts';
import { createLogger } from '../../telemetry.ts';
import { type Closing, createClosing } from '../closing.ts';
import { openDatabase } from '../database.ts';
import { openCopyPool } from '../log-copy/log-places.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { createRetryUntilAvailable } from '../retry-until-available.ts';
import { openObjects } from '../systems.ts';
import { RowNotWhole } from './audit-events.ts';
import { type Diagnosis, type Healed, heal } from './heal.ts';
import { diagnosisLines, doneLines, impossibleLines, isWhole } from './report.ts';

interface LogHealRequest {
  /** Goes on without asking. */
  yes: boolean;
  /** Takes the log as it is, and gives up what it does not have. */
  accept_loss: boolean;
  /** The file for the events that are given up; null: a new one below DATA_DIR. */
  lost_events: string | null;
}

/** Exit codes. */
const EXIT = { whole: 0, failed: 1, impossible: 2, with_loss: 3 } as const;

const BATCH = 500;
const REPORT_EVERY_MS = 2_000;
const SYSTEM_TIMEOUT_MS = 10_000;

type Print = (line: string) => void;

const IN_POSTGRES =
  'The log is in Postgres, beside its read models: a backup has both of the same moment, and both are restored together. ' +
  'There is nothing to heal.';

const questionFor = (
  { missing }: Diagnosis,
  { accept_loss, lost_events }: { accept_loss: boolean; lost_events: string },
) =>
  accept_loss
    ? `Give up what the log does not have, and keep it in ${lost_events}?`
    : `Append ${missing.events.toLocaleString('en')} events, and move all positions?`;

const asked = async (question: string, print: Print): Promise<boolean> => {
  if (!process.stdin.isTTY) {
    print(`${question} Nobody can be asked here: --yes goes on.`);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} (yes/no) `);
  terminal.close();
  return answer.trim().toLowerCase() === 'yes';
};

const exitOf = (healed: Healed): number => {
  if (healed.outcome !== 'done') return healed.outcome === 'impossible' ? EXIT.impossible : EXIT.failed;
  const { diagnosis, appended } = healed;
  // What was missing is not any more.
  const left = { ...diagnosis.missing, events: diagnosis.missing.events - appended };
  return isWhole({ ...diagnosis, missing: left }) ? EXIT.whole : EXIT.with_loss;
};

const run = async (config: Config, request: LogHealRequest, print: Print, closing: Closing): Promise<number> => {
  const { eventstore_url: url } = config;
  if (url === null) {
    print(IN_POSTGRES);
    return EXIT.whole;
  }
  if (config.kill_point) armKillPoint(config.kill_point.point, config.kill_point.passes);
  const logger = createLogger({ level: config.log_level === 'info' ? 'warn' : config.log_level });
  const retryUntilAvailable = createRetryUntilAvailable({ timeout_ms: SYSTEM_TIMEOUT_MS, logger });
  const needs = { closing, logger, retryUntilAvailable };
  const database = await openDatabase(config, needs);
  await migrate({ connectionString: database.connection_string });
  const log = closing.add('log', await retryUntilAvailable(() => createEventStoreImport({ url, logger })));
  const { value: objects } = await openObjects(config, needs);
  const processes = createProcesses({
    objectUri: (key) => objects.uri(key),
    placement_seconds: config.deadlines.placement,
  });
  const { accept_loss } = request;
  const named = `lost-events-${new Date().toISOString().replaceAll(':', '')}.jsonl`;
  const lost_events = resolve(request.lost_events ?? join(config.data_dir, named));
  await mkdir(dirname(lost_events), { recursive: true });
  print(`Comparing the audit with ${shownUrl(url)}.`);
  let reported = performance.now();
  const healed = await heal({
    pool: openCopyPool(database.connection_string, closing),
    log_id: await eventStoreLogIdentity({ url }),
    ...{ log, processes, batch: BATCH, accept_loss, lost_events },
    confirm: async (diagnosis) => {
      for (const line of diagnosisLines(diagnosis)) print(line);
      if (request.yes || isWhole(diagnosis)) return true;
      return asked(questionFor(diagnosis, { accept_loss, lost_events }), print);
    },
    onProgress: (appended, all) => {
      if (performance.now() - reported < REPORT_EVERY_MS) return;
      reported = performance.now();
      print(`${appended.toLocaleString('en')} of ${all.toLocaleString('en')} events appended`);
    },
  });
  if (healed.outcome === 'impossible')
    for (const line of [...diagnosisLines(healed.diagnosis), ...impossibleLines(healed.diagnosis)]) print(line);
  if (healed.outcome === 'declined') print('Nothing was changed.');
  if (healed.outcome === 'done') for (const line of doneLines(healed, lost_events)) print(line);
  return exitOf(healed);
};

/**
 * `budapp log heal`: makes a log that was restored from an older backup whole again, from the audit. Returns the exit code.
 * Throws where a system cannot be opened. After a kill the same call goes on where the last one ended.
 */
export const runLogHeal = async (config: Config, request: LogHealRequest, print: Print): Promise<number> => {
  const closing = createClosing();
  try {
    return await run(config, request, print, closing);
  } catch (error) {
    if (!(error instanceof MoveRefused || error instanceof RowNotWhole)) throw error;
    print(error.message);
    return EXIT.failed;
  } finally {
    await closing.close();
  }
};
