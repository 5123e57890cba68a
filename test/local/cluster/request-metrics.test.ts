import { expect } from 'chai';
import { createRequestMetrics } from '../../../src/local/cluster/request-metrics.ts';

describe('the request metrics of the ingress', () => {
  it('counts per minute, with latencies in buckets that do not overlap', () => {
    const metrics = createRequestMetrics(() => Date.parse('2026-01-01T10:05:30Z'));
    metrics.record('a', { latency_ms: 0.5, outcome: 'success' });
    metrics.record('a', { latency_ms: 1, outcome: 'client_error' });
    metrics.record('a', { latency_ms: 3, outcome: 'success' });
    metrics.record('a', { latency_ms: 20_000, outcome: 'server_error' });
    const [minute] = metrics.read('a').minutes;
    expect(minute).to.include({
      at: '2026-01-01T10:05:00.000Z',
      requests: 4,
      client_errors: 1,
      failures: 1,
      latency_ms_max: 20_000,
    });
    expect(minute?.buckets.filter(({ count }) => count > 0)).to.deep.equal([
      { le: 1, count: 2 },
      { le: 5, count: 1 },
      { le: null, count: 1 },
    ]);
    expect(metrics.read('b')).to.deep.equal({ namespace: 'b', minutes: [] });
  });

  it('forgets what is older than an hour', () => {
    let now = Date.parse('2026-01-01T10:00:00Z');
    const metrics = createRequestMetrics(() => now);
    metrics.record('a', { latency_ms: 1, outcome: 'success' });
    now += 59 * 60_000;
    expect(metrics.read('a').minutes).to.have.lengthOf(1);
    now += 60_000;
    expect(metrics.read('a').minutes).to.deep.equal([]);
  });
});
