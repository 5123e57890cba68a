import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { type CallInput, type CallName, calls } from '../../../src/contracts/calls.ts';
import { createLocalMetrics } from '../../../src/local/metrics/local-metrics.ts';
import type { ServedMinute } from '../../../src/local/metrics/serve-metrics.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import { silent } from '../receiver.ts';

const aMinute = (at: string, latencies: Record<string, number>, errors = { client: 0, server: 0 }): ServedMinute => {
  const buckets = [5, 50, null].map((le) => ({ le, count: latencies[String(le)] ?? 0 }));
  const requests = buckets.reduce((sum, { count }) => sum + count, 0);
  return {
    at: `2026-01-01T10:${at}:00.000Z`,
    requests,
    client_errors: errors.client,
    failures: errors.server,
    latency_ms_sum: requests * 10,
    latency_ms_max: 70,
    buckets,
  };
};

describe('local metrics', () => {
  let cluster: Server;
  let service: LocalService;
  const minutes = [
    aMinute('05', { 5: 90, 50: 9, null: 1 }, { client: 3, server: 2 }),
    aMinute('06', { 5: 10 }),
    aMinute('20', { 50: 4 }),
  ];

  before(async () => {
    cluster = createServer((request, response) => {
      const namespace = new URL(request.url ?? '', 'http://x').searchParams.get('namespace');
      if (namespace === 'down') response.writeHead(500).end('{}');
      else response.end(JSON.stringify({ namespace, minutes: namespace === 'busy' ? minutes : [] }));
    });
    await new Promise<void>((done) => cluster.listen(0, '127.0.0.1', done));
    const cluster_url = `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`;
    service = await createLocalMetrics({ cluster_url, log: silent });
  });
  after(async () => {
    await service.close();
    cluster.closeAllConnections();
    await new Promise((done) => cluster.close(done));
  });

  const ask = async <Name extends CallName>(name: Name, input: CallInput<Name>) => {
    const { path, body } = calls[name].toRequest(input);
    const response = await fetch(`${service.url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown[]> };
  };
  const span = { from_date: '2026-01-01T10:05:30Z', to_date: '2026-01-01T10:10:00Z' };

  it('sums up what the ingress saw in the time asked for', async () => {
    const { body } = await ask('metrics.aggregated', { namespaces: ['busy'], ...span });
    expect(body.items).to.deep.equal([
      {
        namespace: 'busy',
        request_count: 110,
        success_count: 105,
        failure_count: 5,
        client_error_count: 3,
        server_error_count: 2,
        success_rate: 105 / 110,
        latency_mean: 10,
        latency_p50: 5,
        latency_p95: 50,
        latency_p99: 50,
        latency_max: 70,
      },
    ]);
  });

  it('makes up nothing where there was no request', async () => {
    const { body } = await ask('metrics.aggregated', { namespaces: ['idle'], ...span });
    expect(body.items?.[0]).to.include({ request_count: 0, success_rate: null, latency_mean: null, latency_p99: null });
  });

  it('gives a series in buckets of the width asked for', async () => {
    const { body } = await ask('metrics.time-series', {
      namespaces: ['busy'],
      from_date: '2026-01-01T10:00:00Z',
      interval_minutes: 10,
    });
    const [series] = body.items as { points: { at: string; request_count: number }[] }[];
    expect(series?.points.map(({ at, request_count }) => [at, request_count])).to.deep.equal([
      ['2026-01-01T10:00:00.000Z', 110],
      ['2026-01-01T10:20:00.000Z', 4],
    ]);
  });

  it('gives both at once', async () => {
    const { body } = await ask('metrics.analytics', { namespaces: ['busy', 'idle'], ...span });
    expect(body.aggregated).to.have.length(2);
    expect(body.series).to.have.length(2);
  });

  it('says so where the cluster does not answer', async () => {
    const { status } = await ask('metrics.aggregated', { namespaces: ['down'], ...span });
    expect(status).to.equal(503);
  });
});
