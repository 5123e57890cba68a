import { EventStoreDBClient } from '@eventstore/db-client';
import { pino } from 'pino';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import type { Log } from '../../src/ports/log.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { aRealisticEvent } from './log.ts';
import { type BenchLine, callers, compare, type Run, timed } from './measure.ts';

const EVENTS = 100_000;

const clientAppend = async (client: EventStoreDBClient): Promise<void> => {
  const { id, type, data, meta, version } = aRealisticEvent();
  await client.appendToStream(
    `endpoint-${id}`,
    { id, type, contentType: 'application/json', data: { ...Object(data) }, metadata: { meta, version, at: '' } },
    { expectedRevision: 'no_stream' },
  );
};

const logAppend = async (log: Log): Promise<void> => {
  const event = aRealisticEvent();
  await log.append(`endpoint-${event.id}`, [event], { expected: 'none' });
};

const fill = async (log: Log): Promise<void> => {
  for (let written = 0; written < EVENTS; written += 500)
    await log.append(`filler-${written}`, Array.from({ length: 500 }, aRealisticEvent), { expected: 'none' });
};

const clientRead = (client: EventStoreDBClient): Promise<Run> =>
  timed(EVENTS, async () => {
    let read = 0;
    for await (const { event } of client.readAll({ maxCount: EVENTS })) if (event) read += 1;
    if (read < EVENTS) throw new Error(`read only ${read}`);
  });

const logRead = (log: Log): Promise<Run> =>
  timed(EVENTS, async () => {
    let read = 0;
    for await (const item of log.subscribe({ after: 'start', live: false })) {
      if ('stream' in item) read += 1;
      if (read === EVENTS) break;
    }
  });

/** The adapter of EventStoreDB against its own client called directly, both on the test double in this process. */
export const benchEventStore = async (): Promise<BenchLine[]> => {
  const double = await createEventStoreDouble();
  const client = EventStoreDBClient.connectionString(double.url);
  const log = await createEventStoreLog({ url: double.url, logger: pino({ level: 'warn' }) });
  const append = (count: number, operations: number) =>
    compare(
      { what: `EventStoreDB: appends, ${count} caller${count === 1 ? '' : 's'}`, goal: 0.8, unit: 'events/s' },
      {
        baseline: () => callers(count, operations, () => clientAppend(client)),
        ours: () => callers(count, operations, () => logAppend(log)),
      },
    );
  try {
    const lines = [await append(64, 4000), await append(1, 1000)];
    await fill(log);
    lines.push(
      await compare(
        { what: 'EventStoreDB: catch-up, 100,000 events', goal: 0.8, unit: 'events/s', rounds: 3 },
        { baseline: () => clientRead(client), ours: () => logRead(log) },
      ),
    );
    return lines;
  } finally {
    await log.close();
    await client.dispose();
    await double.close();
  }
};

if (import.meta.main) console.table(await benchEventStore());
