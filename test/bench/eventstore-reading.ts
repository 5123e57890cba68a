import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import type pg from 'pg';
import { pino } from 'pino';
import { v7 } from 'uuid';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import { streamPrefixes } from '../../src/events/catalog.ts';
import { EndpointId } from '../../src/events/ids.ts';
import type { Log } from '../../src/ports/log.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { requestRebuild } from '../../src/projections/engine/rebuild.ts';
import { createProjectionRunner } from '../../src/projections/engine/runner.ts';
import { readModelOf } from '../../src/projections/read-model.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../eventstore-double/double.ts';
import { openPool } from '../pool.ts';
import { anEvent, endpointRequested } from '../projections/facts.ts';
import { aRealisticEvent } from './log.ts';
import { type BenchLine, compare, type Run, timed } from './measure.ts';

const EVENTS = 20_000;
const APPEND = 500;
const ROUNDS = 3;
const logger = pino({ level: 'warn' }, pino.destination(2));

const withDouble = async <T>(work: (double: EventStoreDouble) => Promise<T>): Promise<T> => {
  const double = await createEventStoreDouble();
  try {
    return await work(double);
  } finally {
    await double.close();
  }
};

const readThrough = (log: Log, { all, ours }: { all: number; ours: number }): Promise<Run> =>
  timed(all, async () => {
    let read = 0;
    for await (const item of log.subscribe({ after: 'start', live: false })) if ('stream' in item) read += 1;
    if (read !== ours) throw new Error(`read ${read} of ${ours} events`);
  });

/** Nine appends of another application, with events like ours, and then one of ours. */
const fillWithOthers = async ({ url }: EventStoreDouble, log: Log): Promise<void> => {
  const client = EventStoreDBClient.connectionString(url);
  for (let n = 0; n < EVENTS / APPEND; n++) {
    const events = Array.from({ length: APPEND }, aRealisticEvent);
    if (n % 10 === 9) await log.append(`endpoint-${v7()}`, events, { expected: 'none' });
    else
      await client.appendToStream(
        `order-${v7()}`,
        events.map(({ id, type, data, meta }) => ({
          ...{ id, type, contentType: 'application/json' as const },
          ...{ data: { ...Object(data) }, metadata: { ...meta } },
        })),
      );
  }
  await client.dispose();
};

const benchOthers = (): Promise<BenchLine> =>
  withDouble(async (double) => {
    const all = await createEventStoreLog({ url: double.url, logger });
    await fillWithOthers(double, all);
    const count = { all: EVENTS, ours: EVENTS / 10 };
    try {
      return await compare(
        {
          what: "EventStoreDB: reading where nine tenths are others' events, filtered against all",
          ...{ goal: 1, unit: 'events/s', rounds: ROUNDS },
        },
        {
          baseline: () => readThrough(all, count),
          // Opened anew each time, so that it learns each time whose the streams are.
          ours: async () => {
            const log = await createEventStoreLog({ url: double.url, logger, streamPrefixes });
            return readThrough(log, count).finally(() => log.close());
          },
        },
      );
    } finally {
      await all.close();
    }
  });

/** A log of ours alone, read by whoever wants nearly all of it: what the server's filter costs. */
const benchDense = (log: Log): Promise<BenchLine> =>
  compare(
    {
      what: 'EventStoreDB: reading what nearly all passes, filtered against all',
      ...{ goal: 0, unit: 'events/s', rounds: ROUNDS },
    },
    {
      baseline: () => readThrough(log, { all: EVENTS, ours: EVENTS }),
      ours: () =>
        timed(EVENTS, async () => {
          const filter = { streamPrefixes: ['cluster-'] };
          let read = 0;
          for await (const item of log.subscribe({ after: 'start', live: false, filter }))
            if ('stream' in item) read += 1;
          if (read !== EVENTS * 0.99) throw new Error(`read ${read}`);
        }),
    },
  );

const generationOf = async (pool: pg.Pool): Promise<number> => {
  const { rows } = await pool.query<{ generation: number }>(
    "select generation from projections where name = 'endpoints' and position is not null",
  );
  return rows[0]?.generation ?? -1;
};

const rebuild = (pool: pg.Pool): Promise<Run> =>
  timed(EVENTS, async () => {
    const before = await generationOf(pool);
    await requestRebuild(pool, 'endpoints');
    while ((await generationOf(pool)) === before) await delay(5);
    const { rows } = await pool.query<{ count: string }>('select count(*) from endpoints');
    if (Number(rows[0]?.count) !== EVENTS / 100) throw new Error(`${rows[0]?.count} rows`);
  });

/** One event in a hundred is an endpoint's. */
const fillWithEndpoints = async (log: Log): Promise<void> => {
  for (let n = 0; n < EVENTS / APPEND; n++) {
    const others = Array.from({ length: APPEND - APPEND / 100 }, aRealisticEvent);
    await log.append(`cluster-${v7()}`, others, { expected: 'none' });
    for (let m = 0; m < APPEND / 100; m++) {
      const endpoint_id = EndpointId.parse(v7());
      await log.append(`endpoint-${endpoint_id}`, [anEvent(endpointRequested({ endpoint_id }))], { expected: 'none' });
    }
  }
};

const benchRebuilding = (connectionString: string): Promise<BenchLine[]> =>
  withDouble(async ({ url }) => {
    const { pool, close } = openPool(connectionString, 8);
    const log = await createEventStoreLog({ url, logger, streamPrefixes });
    await fillWithEndpoints(log);
    const projections = [readModelOf(endpoints)];
    const runner = createProjectionRunner({ log, pool, owner: v7(), logger, projections, rebuild_poll_ms: 5 });
    try {
      while ((await generationOf(pool)) < 0) await delay(5);
      const line = await compare(
        {
          what: 'EventStoreDB: rebuild of a read model of one event in a hundred, against reading all',
          ...{ goal: 5, unit: 'events/s', rounds: ROUNDS },
        },
        { baseline: () => readThrough(log, { all: EVENTS, ours: EVENTS }), ours: () => rebuild(pool) },
      );
      return [line, await benchDense(log)];
    } finally {
      await runner.close();
      await log.close();
      await close();
    }
  });

/** What a filter at the server saves, on the test double in this process; in a migrated database of its own. */
export const benchEventStoreReading = async (connectionString: string): Promise<BenchLine[]> => [
  await benchOthers(),
  ...(await benchRebuilding(connectionString)),
];
