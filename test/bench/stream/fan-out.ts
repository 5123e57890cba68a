import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { v7 } from 'uuid';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { type Fact, streamOf } from '../../../src/events/catalog.ts';
import { ProjectId, UserId } from '../../../src/events/ids.ts';
import { anEvent } from '../../projections/facts.ts';
import type { ServedProcess } from '../http.ts';
import type { Latency } from '../latency.ts';
import { type BenchLine, quantile } from '../measure.ts';
import { type Followers, openFollowers } from './followers.ts';
import { cpuOf, memoryOf } from './process-cost.ts';

const FOLLOWERS = 1000;
const PROJECTS = 40;
const RATES = [20, 50, 200] as const;
const SECONDS = 5;
/** A side that falls behind is waited for so long. */
const PATIENCE_MS = 15_000;

/** A side of the comparison: what sends the texts, and those who get them. */
interface Side {
  pid: number;
  followers: Followers;
  /** Sends the n-th text; answers where it comes in the order of all. */
  send(n: number): Promise<string>;
}

interface Measured {
  cpu_us: number;
  p50: number;
  p99: number;
  memory: { before: number; after: number };
}

const now = (): number => performance.timeOrigin + performance.now();

const allArrived = async ({ followers }: Side, expected: number) => {
  const limit = now() + PATIENCE_MS;
  for (;;) {
    const told = await followers.tell();
    const missing = told.counts.reduce((sum, count) => sum + expected - count, 0);
    if (missing === 0) return told;
    if (now() > limit) throw new Error(`${missing} of ${expected * FOLLOWERS} frames did not come`);
    await delay(50);
  }
};

/** Sends at a steady rate, however long each takes. */
const sendSteadily = async ({ send }: Side, rate: number): Promise<number[]> => {
  const begin = now();
  const sent: Promise<{ order: string; at: number }>[] = [];
  for (let n = 0; n < rate * SECONDS; n += 1) {
    const wait = begin + (n * 1000) / rate - now();
    if (wait > 0) await delay(wait);
    const at = now();
    sent.push(send(n).then((order) => ({ order, at })));
  }
  const all = await Promise.all(sent);
  return all.toSorted((a, b) => (a.order < b.order ? -1 : 1)).map(({ at }) => at);
};

const measure = async (side: Side, rate: number): Promise<Measured> => {
  await side.followers.forget();
  const [cpu, before] = await Promise.all([cpuOf(side.pid), memoryOf(side.pid)]);
  const sentAt = await sendSteadily(side, rate);
  const { last_arrivals, texts } = await allArrived(side, sentAt.length);
  const after = await memoryOf(side.pid);
  const cpu_us = (((await cpuOf(side.pid)) - cpu) * 1000) / (sentAt.length * FOLLOWERS);
  if (new Set(texts).size !== sentAt.length) throw new Error('a frame came twice');
  const times = sentAt.map((at, n) => (last_arrivals[n] ?? Number.NaN) - at);
  return { cpu_us, p50: quantile(times, 0.5), p99: quantile(times, 0.99), memory: { before, after } };
};

const openBare = async (sample: string) => {
  const child = fork(new URL('bare-broadcast.ts', import.meta.url), [], { execArgv: [] });
  const exited = once(child, 'exit');
  const [message] = await once(child, 'message');
  const { url } = (message as { ready: { url: string } }).ready;
  const followers = await openFollowers({ url, headers: {}, count: FOLLOWERS });
  const send = async (n: number): Promise<string> => {
    child.send(`${String(n).padStart(16, '0')}${sample.slice(16)}`);
    return String(n).padStart(16, '0');
  };
  return {
    side: { pid: child.pid ?? 0, followers, send },
    close: async () => {
      await followers.close();
      child.kill();
      await exited;
    },
  };
};

const created = (project_id: ProjectId): Fact => ({
  type: 'ProjectCreated',
  data: {
    project_id,
    name: `fan-out-${project_id}`,
    description: '',
    tags: [],
    owner_id: UserId.parse(v7()),
    is_default: false,
  },
});

const openOurs = async ({ url, token, tenant_id, connection_string, pid }: ServedProcess) => {
  const log = await createPostgresLog({ connectionString: connection_string });
  const append = async (fact: Fact, project_id: ProjectId): Promise<string> => {
    const event = anEvent(fact, { tenant_id });
    return (await log.append(streamOf('project', project_id), [event], { expected: 'any' })).position;
  };
  // Many, since the appends to one stream wait for one another.
  const projects = Array.from({ length: PROJECTS }, () => ProjectId.parse(v7()));
  const positions = await Promise.all(projects.map((id) => append(created(id), id)));
  const followers = await openFollowers({
    url: `${url}/stream?from=${positions.toSorted().at(-1)}&area=project`,
    headers: { authorization: `Bearer ${token}` },
    count: FOLLOWERS,
  });
  const send = (n: number): Promise<string> => {
    const project_id = projects[n % PROJECTS] ?? ProjectId.parse(v7());
    return append(
      { type: 'ProjectDescribed', data: { project_id, description: `description ${n}`, tags: [] } },
      project_id,
    );
  };
  return {
    side: { pid, followers, send },
    /** A text as followers get it. */
    sample: async (): Promise<string> => {
      await followers.forget();
      await send(0);
      return (await allArrived({ pid, followers, send }, 1)).texts[0] ?? '';
    },
    close: async () => {
      await followers.close();
      await log.close();
    },
  };
};

/** A frame is to cost at most 2.5 times what the bare broadcast needs, where the load is heaviest. */
const lineOf = (rate: number, bare: Measured, ours: Measured): BenchLine => ({
  what: `frames to ${FOLLOWERS.toLocaleString('en')} WebSocket clients, ${rate} events/s`,
  unit: 'frames/CPU s',
  // With few events each one is a write of its own on both sides: that is only reported.
  goal: rate === Math.max(...RATES) ? 0.4 : 0,
  p99_counts: false,
  ratio: bare.cpu_us / ours.cpu_us,
  baseline: 1e6 / bare.cpu_us,
  ours: 1e6 / ours.cpu_us,
  baseline_p99: bare.p99,
  our_p99: ours.p99,
});

/** Memory may grow by a quarter before a collection. */
const memoryLine = ({ before, after }: Measured['memory']): BenchLine => ({
  what: `memory before and after ${RATES.at(-1)} events/s`,
  unit: 'MiB',
  goal: 0.75,
  p99_counts: false,
  ratio: before / after,
  baseline: before,
  ours: after,
});

/** What a frame to many followers costs, beside a bare broadcast of the same text. None may be missed. */
export const benchFanOut = async (served: ServedProcess): Promise<{ lines: BenchLine[]; latencies: Latency[] }> => {
  const ours = await openOurs(served);
  const bare = await openBare(await ours.sample());
  try {
    const lines: BenchLine[] = [];
    const latencies: Latency[] = [];
    let heaviest = { before: 0, after: 0 };
    for (const rate of RATES) {
      const theirs = await measure(bare.side, rate);
      const own = await measure(ours.side, rate);
      lines.push(lineOf(rate, theirs, own));
      const what = `from append to the last of ${FOLLOWERS.toLocaleString('en')} WebSocket clients, ${rate} events/s`;
      latencies.push({ what, p50: own.p50, p99: own.p99 });
      heaviest = own.memory;
    }
    return { lines: [...lines, memoryLine(heaviest)], latencies };
  } finally {
    await Promise.all([ours.close(), bare.close()]);
  }
};
