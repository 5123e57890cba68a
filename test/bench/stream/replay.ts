import { once } from 'node:events';
import { v7 } from 'uuid';
import { WebSocket } from 'ws';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { type Fact, streamOf } from '../../../src/events/catalog.ts';
import { ProjectId, UserId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { anEvent } from '../../projections/facts.ts';
import type { ServedProcess } from '../http.ts';
import type { Latency } from '../latency.ts';
import { type BenchLine, compare, quantile, type Run, timed } from '../measure.ts';

const PROJECTS = 4000;
const APPENDED_AT_ONCE = 200;

const created = (owner_id: UserId): Fact & { type: 'ProjectCreated' } => {
  const project_id = ProjectId.parse(v7());
  const name = `replayed-${project_id}`;
  return {
    type: 'ProjectCreated',
    data: { project_id, name, description: '', tags: [], owner_id, is_default: false },
  };
};

/** Answers the position from which a client gets all of them. */
const createProjects = async (log: Log, { tenant_id }: ServedProcess, owner: UserId): Promise<string> => {
  const before = (await log.head()) ?? 'start';
  for (let from = 0; from < PROJECTS; from += APPENDED_AT_ONCE) {
    const facts = Array.from({ length: APPENDED_AT_ONCE }, () => created(owner));
    await Promise.all(
      facts.map((fact) =>
        log.append(streamOf('project', fact.data.project_id), [anEvent(fact, { tenant_id })], { expected: 'none' }),
      ),
    );
  }
  return before;
};

/** Follows from a position until it has as many frames as there are projects; answers when the first one came. */
const replay = async ({ url, token }: ServedProcess, from: string): Promise<{ first_ms: number }> => {
  const start = performance.now();
  const address = new URL(`/stream?area=project&from=${from}`, url);
  address.protocol = 'ws:';
  const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } });
  const all = Promise.withResolvers<void>();
  let first_ms = 0;
  let count = 0;
  socket.on('message', () => {
    count += 1;
    if (count === 1) first_ms = performance.now() - start;
    if (count === PROJECTS) all.resolve();
  });
  socket.on('close', (code, reason) => all.reject(new Error(`the stream ended: ${code} ${String(reason)}`)));
  await all.promise;
  socket.removeAllListeners('close');
  const closed = once(socket, 'close');
  socket.terminate();
  await closed;
  return { first_ms };
};

/** A replay of what changes the reader's own access, beside one of what is somebody else's. */
export const benchReplay = async (served: ServedProcess): Promise<{ line: BenchLine; latency: Latency }> => {
  const log = await createPostgresLog({ connectionString: served.connection_string });
  try {
    const others = await createProjects(log, served, UserId.parse(v7()));
    const own = await createProjects(log, served, served.user_id);
    const firsts: number[] = [];
    const run = (from: string): Promise<Run> =>
      timed(PROJECTS, async () => {
        const { first_ms } = await replay(served, from);
        if (from === own) firsts.push(first_ms);
      });
    const line = await compare(
      {
        what: `replay of ${PROJECTS.toLocaleString('en')} own projects, beside those of another`,
        // The own one may take 1.2 times as long.
        goal: 0.84,
        unit: 'frames/s',
      },
      { baseline: () => run(others), ours: () => run(own) },
    );
    const [p50, p99] = [quantile(firsts, 0.5), quantile(firsts, 0.99)];
    return { line, latency: { what: 'the first frame of a replay of own projects', p50, p99 } };
  } finally {
    await log.close();
  }
};
