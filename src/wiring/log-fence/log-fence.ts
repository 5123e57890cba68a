import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import type { Log, Standing } from '../../ports/log.ts';
import type { Anchor, LogFence } from '../../ports/log-fence.ts';
import { compareWithLog, type Difference } from './compare-anchors.ts';

export interface LogFenceOptions {
  /** The events that the database knows to be in the log. */
  readAnchors(): Promise<readonly Anchor[]>;
  /** Keeps what the log does not have, so that it is missed after a restart, too. */
  keepAnchors(missing: readonly Anchor[]): Promise<void>;
  logger: Logger;
}

/** How many streams' newest events a process remembers itself: checkpoints are some milliseconds behind them. */
const REMEMBERED_STREAMS = 8;

const WAY_OUT =
  'Nothing is appended to it or read from it. Stop all processes of BudApp; then run "budapp log heal", which appends ' +
  'again what is missing, or restore a newer backup of the log; "budapp log heal --accept-loss" gives up what is ' +
  'missing. See "A log restored from an older backup" in docs/operations.md';

const describeStanding = (standing: Standing): string => {
  switch (standing) {
    case 'none':
      return 'no event';
    case 'inside-another':
      return 'the middle of another record';
    case 'beyond-end':
      return 'nothing: it ends before';
    default:
      return `the event ${standing.id}`;
  }
};

/** The difference for an operator: what is missing, what that means, and the ways out. */
export const describeDifference = ({ newest, standing }: Difference): string => {
  const { position, event_id, stream } = newest;
  const of = stream === null ? '' : ` of ${stream}`;
  return (
    `The log has lost events that were accepted: at ${position}, where it had the event ${event_id ?? 'read last'}${of}, ` +
    `it has ${describeStanding(standing)}. It was restored from an older backup, or has lost its end. ${WAY_OUT}.`
  );
};

const logBehind = (difference: Difference): Rejected =>
  new Rejected('unavailable', 'log-behind', 'The log has lost events that were accepted, so nothing is written.', {
    hint: 'An operator has to restore or heal the log: see /health/ready. What was shown before can still be read.',
    retryAfterSeconds: 60,
    cause: new Error(describeDifference(difference)),
  });

/**
 *     open -- check: every anchor is in its place, or was scavenged --> open
 *      |
 *      +----- check: another event, or none yet, at an anchor --> fenced, until the process ends
 *
 * It never opens again by itself: what this process has read of the other history meanwhile would stay in its memory.
 */
export const createLogFence = ({ readAnchors, keepAnchors, logger }: LogFenceOptions): LogFence => {
  const remembered = new Map<string, Anchor>();
  let stored: readonly Anchor[] | undefined;
  let difference: Difference | null = null;

  const assertOpen = (): void => {
    if (difference) throw logBehind(difference);
  };

  const knownAnchors = async (): Promise<readonly Anchor[]> => {
    try {
      stored = await readAnchors();
    } catch (error) {
      // The database may be away while the log is not: what was in it before is still to be in the log.
      if (!stored) throw error;
    }
    return [...stored, ...remembered.values()];
  };

  const close = async (found: Difference): Promise<void> => {
    if (difference) return;
    difference = found;
    const { position, event_id, stream } = found.newest;
    logger.error({ position, event_id, stream, missing: found.missing.length }, describeDifference(found));
    await keepAnchors(found.missing).catch((err) =>
      logger.warn({ err }, 'it cannot be stored what the log has lost: a restart may not notice it'),
    );
  };

  return {
    saw(anchor) {
      const stream = anchor.stream ?? '';
      remembered.delete(stream);
      remembered.set(stream, anchor);
      const [oldest] = remembered.keys();
      if (remembered.size > REMEMBERED_STREAMS && oldest !== undefined) remembered.delete(oldest);
    },
    async check(log) {
      assertOpen();
      const found = await compareWithLog(await knownAnchors(), log);
      if (found) await close(found);
      assertOpen();
    },
    assertOpen,
  };
};

/** The check at the start. A process whose log is behind starts nevertheless: what it has shown can still be read. */
export const startFenced = async (fence: LogFence, log: Pick<Log, 'eventAt'>): Promise<void> => {
  try {
    await fence.check(log);
  } catch (error) {
    if (!(error instanceof Rejected) || error.code !== 'log-behind') throw error;
  }
};

/** Throws what an operator has to know where the log is behind; callers of the API get less. */
export const assertWhole = (fence: Pick<LogFence, 'assertOpen'>): void => {
  try {
    fence.assertOpen();
  } catch (error) {
    throw error instanceof Rejected && error.cause instanceof Error ? error.cause : error;
  }
};
