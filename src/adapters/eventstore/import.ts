import { Rejected } from '../../errors.ts';
import type { RecordedEvent } from '../../events/event.ts';
import type { Log, LogImport } from '../../ports/log.ts';
import { createEventStoreLog, type EventStoreLogOptions } from './log.ts';

/** Groups adjacent events of the same stream and time: each group is one append. */
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
 * The log in EventStoreDB, with an import of another log's history. It appends one group after the other, since the
 * server chooses the order of concurrent appends. Each append names its revision, so a repeated one (by this process or
 * a later one) is recognised. Use it for imports only: what `append` writes has the time of the last imported event.
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
      // The other log may allow larger appends than this server; imported history can be split.
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
