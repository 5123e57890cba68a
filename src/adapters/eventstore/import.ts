import { Rejected } from '../../errors.ts';
import type { RecordedEvent } from '../../events/event.ts';
import type { Log, LogImport } from '../../ports/log.ts';
import { createEventStoreLog, type EventStoreLogOptions } from './log.ts';

/** Neighbours of one stream and one time: they go in one append. */
const runsOf = (events: readonly RecordedEvent[]): RecordedEvent[][] => {
  const runs: RecordedEvent[][] = [];
  for (const event of events) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last?.stream === event.stream && last.at === event.at && last.revision + 1 === event.revision)
      run.push(event);
    else runs.push([event]);
  }
  return runs;
};

const isTooLarge = (error: unknown): boolean => error instanceof Rejected && error.code === 'append-too-large';

/**
 * The log in EventStoreDB, able to take over another one's history. That goes one append after the other, since the order
 * of appends on their way at the same time is the server's choice; each says at which revision it belongs, so one that is
 * repeated (by this process or by the next) is recognised. Not for anything else: what `append` writes bears the time of
 * whatever was imported last.
 */
export const createEventStoreImport = async (
  options: Omit<EventStoreLogOptions, 'clock'>,
): Promise<Log & LogImport> => {
  let at = new Date().toISOString();
  const log = await createEventStoreLog({ ...options, clock: () => at });

  const importRun = async (run: readonly RecordedEvent[]): Promise<void> => {
    const [first] = run;
    if (!first) return;
    at = first.at;
    const proposed = run.map(({ id, type, version, data, meta }) => ({ id, type, version, data, meta }));
    try {
      await log.append(first.stream, proposed, { expected: first.revision === 0 ? 'none' : first.revision - 1 });
    } catch (error) {
      if (run.length === 1 || !isTooLarge(error)) throw error;
      // Another log takes larger appends than this server; of what is history already, each event may come on its own.
      const half = Math.ceil(run.length / 2);
      await importRun(run.slice(0, half));
      await importRun(run.slice(half));
    }
  };

  return {
    ...log,
    importEvents: async (events) => {
      for (const run of runsOf(events)) await importRun(run);
    },
  };
};
