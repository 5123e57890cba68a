import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDaprInvoker } from '../../src/adapters/dapr/invoker.ts';
import { createHttpInvoker } from '../../src/adapters/http-invoker.ts';
import type { ServiceInvoker } from '../../src/ports/service-invoker.ts';
import { aRequest, startService } from '../contract/invoker.ts';
import { keptPort } from '../systems/harness/ports.ts';
import { NotToBeHad } from '../systems/harness/system.ts';
import { startDaprd } from '../systems/servers/daprd.ts';
import { startRedis } from '../systems/servers/redis.ts';
import type { Latency } from './latency.ts';
import { type BenchLine, callers, compare, quantile } from './measure.ts';

const CALLERS = 8;
const CALLS = 400;
const CALLS_ALONE = 300;
const tokens = { dapr_api_token: 'token-of-the-sidecars', app_api_token: 'token-of-the-application' };

interface Invokers {
  direct: ServiceInvoker;
  /** Through our sidecar and the service's own. */
  dapr: ServiceInvoker;
}

/** As long as a ranking, which is what most answers are about as long as. */
const ANSWER = JSON.stringify({
  items: Array.from({ length: 5 }, (_, index) => ({ cluster_id: `cluster-${index}`, metrics: { replica: index } })),
});

const withInvokers = async <T>(work: (invokers: Invokers) => Promise<T>): Promise<T> => {
  const dir = await mkdtemp(join(tmpdir(), 'budapp-bench-dapr-'));
  const opened: { close(): Promise<unknown> }[] = [{ close: () => rm(dir, { recursive: true, force: true }) }];
  const open = async <R extends { close(): Promise<unknown> }>(starting: Promise<R>): Promise<R> => {
    const resource = await starting;
    opened.push(resource);
    return resource;
  };
  try {
    const redis = await open(startRedis({ dir, password: 'secret' }));
    const service = await open(startService());
    service.answerWith(200, ANSWER);
    const sidecar = { dir, tokens, redis: redis.settings };
    await open(startDaprd({ ...sidecar, app_id: 'budsim', app_port: service.port }));
    const ours = await open(startDaprd({ ...sidecar, app_id: 'budapp', app_port: await keptPort(dir, 'nobody') }));
    const dapr = createDaprInvoker({ http_port: ours.http_port, api_token: tokens.dapr_api_token });
    await open(Promise.resolve(dapr));
    return await work({ direct: createHttpInvoker({ urls: { budsim: `http://127.0.0.1:${service.port}` } }), dapr });
  } finally {
    for (const resource of opened.reverse()) await resource.close();
  }
};

const call = async (invoker: ServiceInvoker): Promise<void> => {
  await invoker.invoke(aRequest({ method: 'POST', body: { concurrency: 1 } }));
};

const latencyOf = async (what: string, invoker: ServiceInvoker): Promise<Latency> => {
  const times: number[] = [];
  for (let index = 0; index < CALLS_ALONE; index += 1) {
    const start = performance.now();
    await call(invoker);
    times.push(performance.now() - start);
  }
  return { what, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
};

export type DaprBench = { line: BenchLine; latencies: Latency[] } | { skipped: string };

/** What a call of a service costs through two sidecars, against the same call straight over HTTP. Reported, without a goal. */
export const benchDapr = async (): Promise<DaprBench> => {
  try {
    return await withInvokers(async ({ direct, dapr }) => {
      const line = await compare(
        { what: `service calls through Dapr, ${CALLERS} callers`, unit: 'calls/s', goal: 0 },
        {
          baseline: () => callers(CALLERS, CALLS, () => call(direct)),
          ours: () => callers(CALLERS, CALLS, () => call(dapr)),
        },
      );
      const latencies = [
        await latencyOf('service call straight over HTTP', direct),
        await latencyOf('service call through Dapr', dapr),
      ];
      return { line, latencies };
    });
  } catch (error) {
    if (error instanceof NotToBeHad) return { skipped: error.message };
    throw error;
  }
};
