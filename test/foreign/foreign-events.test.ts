import { expect } from 'chai';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import { createLocalStatusBus } from '../../src/adapters/local-status-bus.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createVault } from '../../src/adapters/postgres/vault.ts';
import type { Frame } from '../../src/api/live/frame.ts';
import { createHub, type Hub } from '../../src/api/live/hub.ts';
import { createOwnWrites, type OwnWrites } from '../../src/api/own-writes.ts';
import { createCommandHandler } from '../../src/commands/engine/handle.ts';
import { streamPrefixes } from '../../src/events/catalog.ts';
import type { Position } from '../../src/events/event.ts';
import { EndpointId } from '../../src/events/ids.ts';
import type { Log } from '../../src/ports/log.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { createProcessRunner } from '../../src/processes/engine/runner.ts';
import { readModelCatalog } from '../../src/projections/catalog.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { createProjectionOperations } from '../../src/projections/engine/operations.ts';
import { createProjectionRunner } from '../../src/projections/engine/runner.ts';
import { createStatusFeed, createStatusMapper } from '../../src/projections/engine/status-feed.ts';
import { createReadModels } from '../../src/projections/queries/read.ts';
import { createReadPool } from '../../src/projections/queries/read-pool.ts';
import { replay } from '../../src/projections/queries/replay.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { eventually } from '../eventually.ts';
import { openPool } from '../pool.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { OWNER, reported, startEndpoint, startUser } from '../projections/facts.ts';
import { foreignEvent } from './foreign-event.ts';
import { eventStoreForeigner, type ForeignWriter, postgresForeigner } from './foreign-writer.ts';

const SEED = Number(process.env.SEED ?? 7);
const ROUNDS = 3;
const EVENTS_A_ROUND = 50;

const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' });

interface Place {
  log: Log;
  foreigner: ForeignWriter;
  close(): Promise<void>;
}

const inPostgres = async (pool: Pool): Promise<Place> => {
  const log = await createPostgresLog({ pool });
  return { log, foreigner: postgresForeigner(pool), close: () => log.close() };
};

const inEventStore = async (): Promise<Place> => {
  const double = await createEventStoreDouble();
  const log = await createEventStoreLog({ url: double.url, logger, streamPrefixes });
  const foreigner = await eventStoreForeigner(double.url);
  return {
    log,
    foreigner,
    async close() {
      await log.close();
      await foreigner.close();
      await double.close();
    },
  };
};

/** All that reads the log in a running BudApp. */
const startReaders = async (pool: Pool, log: Log) => {
  const vault = createVault({ pool, master_key: Buffer.alloc(32, 7) });
  const bus = createLocalStatusBus({ log: logger });
  const mapper = createStatusMapper({ log });
  const projections = createProjectionRunner({ log, pool, owner: 'one', logger, rebuild_poll_ms: 20 });
  const processes = createProcessRunner({
    log,
    pool,
    processes: createProcesses({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 }),
    handle: createCommandHandler({
      log,
      vault,
      clock: () => new Date().toISOString(),
      findLiveEndpoints: async () => [],
    }),
    vault,
    owner: 'one',
    invoker: { invoke: () => Promise.reject(new Error('no service here')) },
    objects: { remove: async () => undefined },
    findClustersByBudId: async () => [],
    logger,
    poll_ms: 50,
  });
  const operations = createProjectionOperations({ pool, log });
  const feed = createStatusFeed({ log, bus, logger, mapper });
  const hub: Hub = await createHub({ log, bus, mapper, logger, check_ms: 100 });
  const ownWrites: OwnWrites = createOwnWrites({
    log,
    readPositions: async () => new Map(),
    onAccessChange: () => undefined,
    timeout_ms: 10_000,
    logger,
  });
  const frames: Frame[] = [];
  hub.listen((frame) => frames.push(frame));
  return {
    frames,
    ownWrites,
    operations,
    async close() {
      await ownWrites.close();
      await feed.close();
      await hub.close();
      await bus.close();
      await processes.close();
      await projections.close();
    },
  };
};

type Readers = Awaited<ReturnType<typeof startReaders>>;

const reached = (name: string, pool: Pool, query: string, position: Position) =>
  eventually(`${name} is beyond ${position}`, async () => {
    const { rows } = await pool.query<{ position: string | null }>(query);
    return rows.length > 0 && rows.every((row) => (row.position ?? '') >= position);
  });

for (const kind of ['Postgres', 'EventStoreDB'] as const) {
  describe(`what others write into the log in ${kind}`, () => {
    let database: TestDatabase;
    let pool: Pool;
    let place: Place;
    let readers: Readers;
    const closing: (() => Promise<void>)[] = [];

    before(async () => {
      database = await testDatabase();
      closing.push(() => database.close());
      const opened = openPool(database.connection_string, 16);
      pool = opened.pool;
      closing.push(opened.close);
      place = kind === 'Postgres' ? await inPostgres(pool) : await inEventStore();
      closing.push(place.close);
      readers = await startReaders(pool, place.log);
      closing.push(readers.close);
    });
    after(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    /** Writes foreign events with a good one in the middle, and answers those of BudApp's. */
    const write = async (round: number) => {
      const { log, foreigner } = place;
      const before = await startEndpoint(log);
      const events = fc.sample(foreignEvent([before.stream, (await startUser(log)).stream]), {
        numRuns: EVENTS_A_ROUND,
        seed: SEED + round,
      });
      let taken = 0;
      for (const event of events) if (await foreigner.write(event)) taken += 1;
      const after = await startEndpoint(log);
      const position = await after.append(reported(EndpointId.parse(after.id), 1));
      return { before, after, taken, position };
    };

    it(`ends no reader, and what BudApp writes before and after it arrives (SEED=${SEED})`, async () => {
      let taken = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const written = await write(round);
        taken += written.taken;
        await reached('a read model', pool, 'select position from projections', written.position);
        await reached('the processes', pool, 'select position from process_checkpoints', written.position);
        await eventually('the live stream has shown it', () =>
          readers.frames.some(({ position }) => position === written.position),
        );
        await readers.ownWrites.refresh();
        expect((readers.ownWrites.upTo(OWNER) ?? '') >= written.position, 'own writes').to.equal(true);
        for (const { id } of [written.before, written.after]) {
          const { rowCount } = await pool.query('select from endpoints where id = $1', [id]);
          expect(rowCount, 'rows of the endpoint').to.equal(1);
        }
        expect(await replay(endpoints, place.log, { id: written.after.id })).to.not.equal(null);
      }
      expect(taken, 'foreign events that the log took').to.be.greaterThan((ROUNDS * EVENTS_A_ROUND) / 3);
    });

    it(`lets every read model be rebuilt, and the audit be read (SEED=${SEED})`, async () => {
      for (const { name } of readModelCatalog) await readers.operations.rebuild(name);
      await eventually('all have been built', async () => {
        const { rows } = await pool.query('select from projections where swapped_at is null');
        return rows.length === 0;
      });
      const { rows: tenants } = await pool.query('select distinct tenant_id from audit_log');
      const reading = await createReadPool(database.connection_string);
      try {
        const readModels = createReadModels({ pool: reading });
        for (const { tenant_id } of tenants) {
          const { items } = await readModels.listAuditEvents({ tenant_id, projects: 'all', limit: 200 });
          expect(items).to.not.have.lengthOf(0);
        }
      } finally {
        await reading.end();
      }
    });
  });
}
