import { type Lease, LeaseLost } from '../../postgres/lease.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { createThrottle } from '../../resilience/throttle.ts';
import type { ReadModel } from '../read-model.ts';
import { CheckpointMoved, readCheckpoints, type Writer } from './checkpoint.ts';
import { type LaneDependencies, runLane } from './lane.ts';
import { servingTable } from './table.ts';

const BACKOFF = { first_ms: 100, longest_ms: 5000 };

interface Member {
  model: ReadModel;
  lease: Lease;
  /** Ends the membership, with an error where the member was removed. */
  leave(error?: Error): void;
}

export interface LiveLane {
  /**
   * Keeps the read model up to date until `signal` aborts. Throws where its lease was lost or its table was swapped:
   * the caller has to start again.
   */
  join(model: ReadModel, lease: Lease, signal: AbortSignal): Promise<void>;
}

interface LiveLaneOptions extends LaneDependencies {
  /** Once aborted, the lane ends after the current batch. */
  signal: AbortSignal;
}

/** The live subscription of a process, which all read models whose lease it holds share. */
export const createLiveLane = (options: LiveLaneOptions): LiveLane => {
  const { pool, logger, signal: closing } = options;
  const members = new Map<string, Member>();
  const throttled = createThrottle();
  let round = new AbortController();
  let running: Promise<void> | undefined;

  const writersNow = async (): Promise<Writer[]> => {
    const current = [...members.values()];
    const names = current.map(({ model }) => model.name);
    const checkpoints = await readCheckpoints(pool, 'projections', names);
    return current.flatMap(({ model, lease, leave }) => {
      const checkpoint = checkpoints.find(({ name }) => name === model.name);
      if (checkpoint?.version === model.version) return [{ table: servingTable(model), lease, checkpoint }];
      leave(new CheckpointMoved(model.name));
      return [];
    });
  };

  const putOut = (error: LeaseLost | CheckpointMoved): void => {
    const gone = [...members.values()].find(({ model, lease }) =>
      error instanceof LeaseLost ? lease.name === error.lease : model.name === error.projection,
    );
    gone?.leave(error);
  };

  const runRounds = async (): Promise<void> => {
    let failures = 0;
    while (members.size > 0 && !closing.aborted) {
      round = new AbortController();
      const signal = AbortSignal.any([closing, round.signal]);
      try {
        const writers = await writersNow();
        if (writers.length > 0) await runLane(options, writers, { checkpoints: 'projections', live: true, signal });
        failures = 0;
      } catch (error) {
        if (signal.aborted) continue;
        if (error instanceof LeaseLost || error instanceof CheckpointMoved) {
          putOut(error);
          continue;
        }
        failures += 1;
        throttled(() => logger.warn({ err: error }, 'the read models cannot be written: retrying'));
        await waitForRetry(failures, BACKOFF, signal);
      }
    }
  };

  /** Starts a new round with the current members. */
  const changed = (): void => {
    round.abort();
    running ??= runRounds().finally(() => {
      running = undefined;
      // A member may have joined while the last round was ending.
      if (members.size > 0 && !closing.aborted) changed();
    });
  };

  return {
    join: async (model, lease, signal) => {
      if (signal.aborted) return;
      const { promise: left, resolve, reject } = Promise.withResolvers<void>();
      const leave = (error?: Error): void => {
        if (members.get(model.name)?.lease === lease) members.delete(model.name);
        if (error) reject(error);
        else resolve();
      };
      members.set(model.name, { model, lease, leave });
      changed();
      const onAbort = (): void => leave();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        await left;
      } finally {
        signal.removeEventListener('abort', onAbort);
        // The member's lease is released after this, so the current batch must have ended.
        const ending = running;
        round.abort();
        if (closing.aborted || members.size === 0) await ending;
      }
    },
  };
};
