import { expect } from 'chai';
import type { ReportedWorker } from '../../../src/contracts/budcluster.ts';
import type { Proof, ProofSubject } from '../../../src/ports/proofs.ts';
import { ServiceFailure } from '../../../src/ports/service-invoker.ts';
import { createConfirmation } from '../../../src/processes/watch/confirmation.ts';
import { createLook } from '../../../src/processes/watch/look.ts';
import type { Order } from '../../../src/processes/watch/orders.ts';
import { createRound } from '../../../src/processes/watch/round.ts';
import { createSilence } from '../../../src/processes/watch/silence.ts';
import type { WatchedEndpoint } from '../../../src/projections/queries/watched-query.ts';
import { aCluster, anEndpoint, reported } from './watched.ts';

const AT = '2030-01-01T10:00:00.000Z';
const both = [reported('w-1'), reported('w-2')];
type Answer = 'silent' | 'unknown' | readonly ReportedWorker[];

/** One cluster with endpoints, a service that answers as it is told, and a clock that is set by hand. */
const aWatch = (endpoints: WatchedEndpoint[] = [anEndpoint()]) => {
  const world = {
    cluster: aCluster(),
    endpoints,
    workers: both as Answer,
    health: 'available' as Answer | string,
    time: 0,
  };
  const stored = new Map<string, { subject: ProofSubject; count: number }>();
  let orders: Order[] = [];
  const answerOf = (answer: Answer | string, body: unknown) => {
    if (answer === 'silent') throw new ServiceFailure('no answer', { retryable: true, status: null });
    if (answer === 'unknown') throw new ServiceFailure('no such thing', { retryable: false, status: 404 });
    return body;
  };
  const look = createLook({
    call_timeout_ms: 10,
    invoker: {
      invoke: async ({ path }) => {
        if (path.endsWith('health')) return answerOf(world.health, { status: world.health });
        if (path.endsWith('nodes')) return answerOf(world.health, { nodes: [] });
        return answerOf(world.workers, { workers: world.workers });
      },
    },
  });
  const record = async (subjects: readonly ProofSubject[]) => {
    for (const subject of subjects) {
      stored.set(subject.id, { subject, count: (stored.get(subject.id)?.count ?? 0) + 1 });
    }
  };
  const proofOf = ({ subject, count }: { subject: ProofSubject; count: number }): Proof => ({
    ...subject,
    at: AT,
    age_ms: 0,
    count: String(count),
  });
  const round = createRound({
    readModels: { listWatched: async () => ({ clusters: [world.cluster], endpoints: world.endpoints }) },
    proofs: {
      record,
      find: async () => AT,
      list: async () => [...stored.values()].map(proofOf),
      forget: async () => undefined,
    },
    look,
    silence: createSilence({ silence_ms: 30, grace_ms: 10, now: () => world.time }),
    confirmation: createConfirmation(2),
    perform: async (wanted) => void orders.push(...wanted),
    now: () => AT,
    concurrency: 4,
  });
  return {
    world,
    /** A message of the cluster service about it. */
    message: (id: string) => record([{ area: 'endpoint', id }]),
    /** The names of the commands that the next round leads to, ten units of time later. */
    async next(): Promise<string[]> {
      orders = [];
      await round();
      world.time += 10;
      return orders.map(({ command }) => command.type);
    },
    data: () => orders.map(({ data }) => data),
  };
};

describe('a round of the status watch', () => {
  it('orders nothing where all is as it is known', async () => {
    const watch = aWatch();
    for (let round = 0; round < 5; round += 1) expect(await watch.next()).to.deep.equal([]);
  });

  it('finds the cluster unavailable and its endpoints unknown once the service was silent for long enough', async () => {
    const watch = aWatch();
    await watch.next();
    Object.assign(watch.world, { health: 'silent', workers: 'silent' });
    for (let round = 0; round < 2; round += 1) expect(await watch.next()).to.deep.equal([]);
    expect(await watch.next()).to.deep.equal(['RecordClusterStatus', 'RecordEndpointSilence']);
    const [cluster, endpoint] = watch.data();
    expect(cluster).to.include({ available: false }).and.have.nested.property('reason.code', 'no-report');
    expect(endpoint).to.include({ last_proof_at: AT });
  });

  it('makes good what a crash left undone between two streams', async () => {
    const watch = aWatch();
    Object.assign(watch.world, { health: 'silent', workers: 'silent', time: 1000 });
    watch.world.cluster = aCluster({ status: 'unavailable' });
    await watch.next();
    watch.world.time += 30;
    expect(await watch.next()).to.deep.equal(['RecordEndpointSilence']);
    watch.world.endpoints = [anEndpoint({ status: 'unknown', deadline: '2030-01-01T10:10:00.000Z' })];
    expect(await watch.next()).to.deep.equal([]);
    watch.world.endpoints = [anEndpoint({ status: 'unknown', deadline: AT })];
    expect(await watch.next()).to.deep.equal(['RecordEndpointSilence']);
  });

  it('puts everything right when the service is back', async () => {
    const watch = aWatch([anEndpoint({ status: 'unknown' })]);
    watch.world.cluster = aCluster({ status: 'unavailable' });
    expect(await watch.next()).to.deep.equal(['RecordClusterStatus', 'RecordEndpointReport']);
    expect(watch.data()[0]).to.include({ available: true });
  });

  it('takes a message for a proof, too', async () => {
    const watch = aWatch();
    await watch.next();
    watch.world.workers = 'silent';
    for (let round = 0; round < 6; round += 1) {
      await watch.message(anEndpoint().id);
      expect(await watch.next()).to.deep.equal([]);
    }
  });

  it('believes in the second round that a deployment or a cluster is not known there, and has it repaired', async () => {
    const watch = aWatch();
    watch.world.workers = 'unknown';
    expect(await watch.next()).to.deep.equal([]);
    expect(await watch.next()).to.deep.equal(['RecordEndpointReport', 'RequestEndpointRepair']);
    expect(watch.data()[1]).to.include({ deployment_found: false });
    watch.world.health = 'unknown';
    await watch.next();
    expect(await watch.next()).to.include('RecordClusterStatus');
  });

  it('reports a missing worker at once, and has it replaced where the cluster does not do so itself', async () => {
    const watch = aWatch();
    watch.world.workers = [reported('w-1')];
    expect(await watch.next()).to.deep.equal(['RecordEndpointReport']);
    expect(await watch.next()).to.deep.equal(['RecordEndpointReport', 'RequestEndpointRepair']);
    expect(watch.data()[1]).to.include({ deployment_found: true });
    watch.world.workers = both;
    expect(await watch.next()).to.deep.equal([]);
  });

  it('does not take a service that answers nonsense for one that says something', async () => {
    const watch = aWatch();
    await watch.next();
    Object.assign(watch.world, { workers: 'nonsense' });
    await watch.next();
    await watch.next();
    expect(await watch.next()).to.deep.equal(['RecordEndpointSilence']);
  });
});
