import { expect } from 'chai';
import fc from 'fast-check';
import { compareReports, type Sight } from '../../../src/processes/watch/compare.ts';
import type { WatchedEndpoint } from '../../../src/projections/queries/watched-query.ts';
import { anEndpoint, reported } from './watched.ts';

const compare = (endpoint: WatchedEndpoint, sight: Sight) => {
  const [finding] = compareReports([endpoint], new Map([[endpoint.id, sight]]));
  return { ...finding?.report, difference: finding?.difference, isNew: finding?.report !== null };
};

const both = [reported('w-1'), reported('w-2')];

describe('comparing reports', () => {
  it('finds nothing new in what is known, in whichever order and with whichever details', () => {
    const shuffled = [...both].toReversed().map((worker) => ({ ...worker, node_name: 'n1', uptime: 7 }));
    for (const sight of [both, shuffled]) {
      expect(compare(anEndpoint(), sight)).to.deep.equal({ difference: null, isNew: false });
    }
  });

  it('takes whatever comes as news of what is unknown', () => {
    expect(compare(anEndpoint({ status: 'unknown' }), both)).to.include({ isNew: true, status: 'ready' });
  });

  it('finds workers that are missing, surplus, ill or gone', () => {
    expect(compare(anEndpoint(), [reported('w-1')])).to.deep.include({ isNew: true, difference: 'workers' });
    expect(compare(anEndpoint(), [...both, reported('stray')])).to.deep.include({ isNew: true, difference: 'workers' });
    expect(compare(anEndpoint(), [reported('w-1'), reported('w-2', 'Pending')])).to.include({
      isNew: true,
      difference: null,
    });
    expect(compare(anEndpoint(), null)).to.include({ isNew: true, difference: 'deployment', status: 'missing' });
  });

  it('says once that the deployment is missing', () => {
    const known = compare(anEndpoint(), null);
    const { replicas = { total: 0, available: 0, failed: 0, pending: 0 } } = known;
    const observed = { replicas, ingress_healthy: null, workers: [], at: '', last_proof_at: null };
    expect(compare(anEndpoint({ status: 'degraded', observed }), null)).to.include({ isNew: false });
  });

  it('does not take running replicas for the end of what else the cluster has reported', () => {
    const silentOn = both.map(({ deployment_status: _unsaid, ...worker }) => worker);
    const { observed } = anEndpoint();
    const ill = (code: string, ingress_healthy: boolean) =>
      anEndpoint({
        status: 'degraded',
        reason: { code, message: 'Said.' },
        observed: observed && { ...observed, ingress_healthy },
      });
    expect(compare(ill('ingress-unhealthy', false), silentOn)).to.include({ isNew: false });
    expect(compare(ill('cluster-reports-failure', true), silentOn)).to.include({ isNew: false });
    expect(compare(ill('replicas-missing', true), silentOn)).to.include({ isNew: true });
    expect(compare(ill('ingress-unhealthy', false), both)).to.include({ isNew: true });
  });

  it('says nothing of what was not heard of', () => {
    expect(compareReports([anEndpoint()], new Map())).to.deep.equal([]);
  });

  it('looks at each report once, however many there are', () => {
    const endpointOf = (index: number) => anEndpoint({ id: `endpoint-${index}` });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 8 }), (count, workers) => {
        let reads = 0;
        const counted = (name: string) => ({
          ...reported(name),
          get status() {
            reads += 1;
            return 'Running';
          },
        });
        const readsFor = (endpoints: number): number => {
          reads = 0;
          const all = Array.from({ length: endpoints }, (_, index) => endpointOf(index));
          const list = () => Array.from({ length: workers }, (_, index) => counted(`w-${index}`));
          compareReports(all, new Map(all.map(({ id }) => [id, list()])));
          return reads;
        };
        expect(readsFor(10 * count)).to.equal(10 * readsFor(count));
      }),
      { numRuns: 20 },
    );
  });
});
