import type { RecordedEvent } from '../events/event.ts';
import type { Log, LogImport } from '../ports.ts';
import { createEventStoreLog, type EventStoreLogOptions } from './eventstore-log.ts';

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
  return {
    ...log,
    importEvents: async (events) => {
      for (const run of runsOf(events)) {
        const [first] = run;
        if (!first) continue;
        at = first.at;
        const proposed = run.map(({ id, type, version, data, meta }) => ({ id, type, version, data, meta }));
        await log.append(first.stream, proposed, { expected: first.revision === 0 ? 'none' : first.revision - 1 });
      }
    },
  };
};
