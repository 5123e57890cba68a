import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 } from 'uuid';
import { WebSocket } from 'ws';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { type Fact, streamOf } from '../../src/events/catalog.ts';
import { ProjectId, UserId } from '../../src/events/ids.ts';
import { openPool } from '../pool.ts';
import { anEvent } from '../projections/facts.ts';
import type { Served } from './http.ts';
import { quantile } from './measure.ts';

/** Milliseconds, from when the append was asked for: its own commit is part of it. */
export interface Latency {
  what: string;
  p50: number;
  p99: number;
}

const SAMPLES = 300;
const WARM_UP = 30;
const PATIENCE_MS = 10_000;

const described = (project_id: ProjectId, n: number): Fact => ({
  type: 'ProjectDescribed',
  data: { project_id, description: `description ${n}`, tags: [] },
});

const created = (project_id: ProjectId): Fact => ({
  type: 'ProjectCreated',
  data: {
    project_id,
    name: `latency-${project_id}`,
    description: '',
    tags: [],
    owner_id: UserId.parse(v7()),
    is_default: false,
  },
});

const latencyOf = (what: string, times: readonly number[]): Latency => {
  const counted = times.slice(WARM_UP);
  return { what, p50: quantile(counted, 0.5), p99: quantile(counted, 0.99) };
};

/** When frames arrived, by position. */
const openStream = async ({ url, token }: Served) => {
  const address = new URL('/stream', url);
  address.protocol = 'ws:';
  const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } });
  const arrivals = new Map<string, number>();
  socket.on('message', (data) => {
    const at = performance.now();
    const { position } = JSON.parse(String(data)) as { position?: string };
    if (position) arrivals.set(position, at);
  });
  await once(socket, 'open');
  return {
    arrivals,
    close: async (): Promise<void> => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
};

const patiently = async (what: string, isThere: () => boolean | Promise<boolean>): Promise<void> => {
  const limit = performance.now() + PATIENCE_MS;
  while (!(await isThere())) {
    if (performance.now() > limit) throw new Error(`${what} did not come within ${PATIENCE_MS / 1000} s`);
    await delay(1);
  }
};

/** One event at a time through the log port, at moments that have nothing to do with anybody's polling. */
export const benchLatency = async (served: Served): Promise<Latency[]> => {
  const { connection_string: connectionString, tenant_id } = served;
  const log = await createPostgresLog({ connectionString });
  const { pool, close } = openPool(connectionString, 1);
  const stream = await openStream(served);
  const project = ProjectId.parse(v7());
  const toReadModel: number[] = [];
  const toClient: number[] = [];

  const isShown = async (revision: number): Promise<boolean> => {
    const { rowCount } = await pool.query('select from projects where id = $1 and revision >= $2', [project, revision]);
    return rowCount === 1;
  };
  const sample = async (revision: number): Promise<void> => {
    const fact = revision === 0 ? created(project) : described(project, revision);
    const start = performance.now();
    const { position } = await log.append(streamOf('project', project), [anEvent(fact, { tenant_id })], {
      expected: revision === 0 ? 'none' : revision - 1,
    });
    await patiently(`revision ${revision} in the read model`, () => isShown(revision));
    toReadModel.push(performance.now() - start);
    await patiently(`the frame of ${position}`, () => stream.arrivals.has(position));
    toClient.push((stream.arrivals.get(position) ?? Number.NaN) - start);
  };

  try {
    for (let revision = 0; revision < SAMPLES + WARM_UP; revision += 1) {
      await sample(revision);
      await delay(Math.random() * 10);
    }
    return [
      latencyOf('from append to the read model', toReadModel),
      latencyOf('from append to a WebSocket client', toClient),
    ];
  } finally {
    await stream.close();
    await Promise.all([log.close(), close()]);
  }
};
