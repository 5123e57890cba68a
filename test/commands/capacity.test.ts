import { expect } from 'chai';
import fc from 'fast-check';
import { type ClusterState, cluster } from '../../src/commands/cluster/cluster-state.ts';
import { recordClusterStatus } from '../../src/commands/cluster/internal/record-cluster-status.ts';
import { releaseCapacity } from '../../src/commands/cluster/internal/release-capacity.ts';
import { reserveCapacity } from '../../src/commands/cluster/internal/reserve-capacity.ts';
import { listReservations } from '../../src/commands/cluster/reservations.ts';
import type { AnyCommand } from '../../src/commands/command.ts';
import { scaleEndpoint } from '../../src/commands/endpoint/scale-endpoint.ts';
import { Rejected } from '../../src/errors.ts';
import { type CapacityBook, capacityOf, capacityUnder, eachOf, NO_LOAD, roomFor } from '../../src/events/capacity.ts';
import type { Fact } from '../../src/events/catalog.ts';
import { EndpointId, newId } from '../../src/events/ids.ts';
import { fitsInto, subtractResources, timesResources } from '../../src/events/resources.ts';
import type { ClusterNode, Resources } from '../../src/events/values.ts';
import { clusters } from '../../src/projections/clusters.ts';
import { reduce } from '../../src/projections/projection.ts';
import { fact } from './fixture.ts';
import { foldFacts, given, recorded } from './given.ts';

const MANY = 1000;
const RUNS = Number(process.env.CAPACITY_RUNS ?? 150);

const registered = fact('ClusterRegistered');
const { cluster_id } = registered.data;
const { workflow_id } = fact('CapacityReserved').data;
const endpoints = Array.from({ length: 5 }, () => newId(EndpointId));
const scaled = fact('EndpointScalingRequested').data;

const resources = (most: number) =>
  fc.record({ cpu_millis: fc.integer({ min: 1, max: most }), memory_mib: fc.integer({ min: 1, max: most }) });
const someNodes = fc.array(fc.record({ ready: fc.boolean(), resources: resources(1000) }), { maxLength: 4 });
const endpoint = fc.constantFrom(...endpoints);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ reserve: endpoint, replicas: fc.integer({ min: 0, max: 6 }), each: resources(400) }),
  },
  { weight: 2, arbitrary: fc.record({ release: endpoint }) },
  { weight: 1, arbitrary: fc.record({ nodes: someNodes }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const toNodes = (nodes: readonly { ready: boolean; resources: Resources }[]): ClusterNode[] =>
  nodes.map(({ ready, resources }, n) => ({
    name: `n${n}`,
    status: ready ? 'Ready' : 'NotReady',
    resources,
    devices: [],
  }));

const commandOf = (one: Step): [AnyCommand, object] => {
  if ('release' in one) return [releaseCapacity, { cluster_id, endpoint_id: one.release, workflow_id }];
  if ('nodes' in one) return [recordClusterStatus, { cluster_id, available: true, nodes: toNodes(one.nodes) }];
  const { reserve, replicas, each } = one;
  const whole = { replicas, resources: timesResources(each, replicas) };
  return [reserveCapacity, { cluster_id, endpoint_id: reserve, workflow_id, ...whole }];
};

/** The facts, or the code of the refusal. */
const outcomeOf = (history: readonly Fact[], one: Step): Fact[] | string => {
  try {
    return given(...history)
      .when(...commandOf(one))
      .facts();
  } catch (error) {
    if (error instanceof Rejected) return error.code;
    throw error;
  }
};

const stateOf = (history: readonly Fact[]): ClusterState => {
  const state = foldFacts(cluster, history) as ClusterState | null;
  if (!state) throw new Error('there is no cluster');
  return state;
};

const bookOf = ({ nodes, reservations }: ClusterState): CapacityBook => ({
  nodes,
  reservations: listReservations(reservations),
});

const shownOf = (history: readonly Fact[]) => {
  const row = history.reduce<Parameters<typeof reduce<object, never>>[1]>(
    (before, each, revision) =>
      reduce(clusters as never, before, { ...recorded(each), stream: `cluster-${cluster_id}`, revision } as never),
    null,
  );
  return clusters.row.parse(row).capacity;
};

/** What is left of the nodes once the replicas are put on them one by one. */
const leftOf = ({ nodes, reservations }: CapacityBook): Resources[] => {
  const replicas = Object.values(reservations).flatMap((holding) =>
    Array.from({ length: holding.replicas }, () => eachOf(holding)),
  );
  return replicas
    .toSorted((a, b) => b.memory_mib - a.memory_mib || b.cpu_millis - a.cpu_millis)
    .reduce(
      (left, replica) => {
        const on = left.findIndex((free) => fitsInto(replica, free));
        return left.map((free, n) => (n === on ? subtractResources(free, replica) : free));
      },
      nodes.flatMap(({ status, resources }) => (status === 'Ready' ? [resources] : [])),
    );
};

/** Whether the replicas can be put on the nodes at all, tried in every way. */
const canBePlaced = (nodes: readonly Resources[], replicas: readonly Resources[]): boolean => {
  const [first, ...rest] = replicas;
  if (!first) return true;
  return nodes.some(
    ({ cpu_millis, memory_mib }, n) =>
      cpu_millis >= first.cpu_millis &&
      memory_mib >= first.memory_mib &&
      canBePlaced(
        nodes.with(n, { cpu_millis: cpu_millis - first.cpu_millis, memory_mib: memory_mib - first.memory_mib }),
        rest,
      ),
  );
};

describe('capacity', () => {
  it('is calculated from as many sizes of replicas as there are, however many endpoints', () => {
    const reserved = Array.from({ length: MANY }, (_, n): Fact => {
      const each = { cpu_millis: 1 + (n % 3), memory_mib: 1 };
      return {
        type: 'CapacityReserved',
        data: { cluster_id, endpoint_id: newId(EndpointId), workflow_id, replicas: 1, resources: each },
      };
    });
    const history = [fact('ClusterRegistrationRequested'), registered, ...reserved];
    expect(Object.keys(stateOf(history).load.sizes)).to.have.length(3);
    const released = reserved.flatMap(({ type, data }): Fact[] =>
      type === 'CapacityReserved'
        ? [{ type: 'CapacityReleased', data: { cluster_id, endpoint_id: data.endpoint_id, workflow_id } }]
        : [],
    );
    expect(stateOf([...history, ...released])).to.deep.include({ load: NO_LOAD, reservations: {} });
  });

  it('is never given out twice, on no node, and what is shown is what can be reserved', () => {
    fc.assert(
      fc.property(someNodes, fc.array(step, { maxLength: 25 }), resources(400), (first, steps, each) => {
        let history: Fact[] = [
          fact('ClusterRegistrationRequested'),
          { ...registered, data: { ...registered.data, nodes: toNodes(first) } },
        ];
        for (const one of steps) {
          const before = stateOf(history);
          const outcome = outcomeOf(history, one);
          if (typeof outcome === 'string') {
            expect(outcome).to.equal('cluster-full');
            if (!('reserve' in one)) throw new Error('only a reservation may be refused');
            expect(roomFor(one.each, capacityOf(bookOf(before), { without: one.reserve }))).to.be.lessThan(
              one.replicas,
            );
            continue;
          }
          history = [...history, ...outcome];
          const [made] = outcome;
          if (made?.type !== 'CapacityReserved' || !made.data.free || made.data.replicas === 0) continue;
          // What was given out was there.
          const { total, reserved } = capacityOf(bookOf(stateOf(history)));
          expect(reserved.cpu_millis).to.be.at.most(total.cpu_millis);
          expect(reserved.memory_mib).to.be.at.most(total.memory_mib);
        }
        const state = stateOf(history);
        const shown = shownOf(history);
        expect(shown).to.deep.equal(capacityOf(bookOf(state)));
        // Added up one by one, and by size.
        expect(capacityUnder(state.nodes, state.load)).to.deep.equal(shown);
        expect(shown.nodes.map(({ free }) => free)).to.deep.equal(leftOf(bookOf(state)));
        // As many as the shown figures have room for, and not one more.
        const room = roomFor(each, shown);
        const ask = (replicas: number) => outcomeOf(history, { reserve: newId(EndpointId), replicas, each });
        if (room > 0) expect(ask(room)).to.be.an('array');
        expect(ask(room + 1)).to.equal('cluster-full');
      }),
      { numRuns: RUNS },
    );
  });

  it('is promised only where the replicas can stand on the nodes', () => {
    const few = fc.array(resources(300), { minLength: 1, maxLength: 3 });
    const wanted = fc.array(fc.record({ replicas: fc.integer({ min: 1, max: 2 }), each: resources(200) }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(few, wanted, (nodes, all) => {
        let history: Fact[] = [
          fact('ClusterRegistrationRequested'),
          {
            ...registered,
            data: { ...registered.data, nodes: toNodes(nodes.map((each) => ({ ready: true, resources: each }))) },
          },
        ];
        const standing: Resources[] = [];
        for (const { replicas, each } of all.toSorted((a, b) => b.each.memory_mib - a.each.memory_mib)) {
          const outcome = outcomeOf(history, { reserve: newId(EndpointId), replicas, each });
          if (typeof outcome === 'string') continue;
          history = [...history, ...outcome];
          standing.push(...Array.from({ length: replicas }, () => each));
        }
        expect(canBePlaced(nodes, standing)).to.equal(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('is the same to a scaling as to the reservation that follows it', () => {
    fc.assert(
      fc.property(someNodes, fc.integer({ min: 2, max: 12 }), resources(300), (nodes, replicas, each) => {
        const { endpoint_id } = scaled;
        const held = { replicas: 1, resources: each };
        const known: Fact[] = [
          fact('ClusterRegistrationRequested'),
          { ...registered, data: { ...registered.data, nodes: toNodes(nodes) } },
          { type: 'CapacityReserved', data: { cluster_id, endpoint_id, workflow_id, ...held } },
        ];
        const running = [
          fact('EndpointRequested', { replicas: 1, resources_per_replica: each }),
          fact('EndpointPlacementStarted'),
          fact('EndpointPlaced'),
          fact('EndpointDeployed'),
        ];
        const accepts = (work: () => unknown): boolean => {
          try {
            work();
            return true;
          } catch (error) {
            if (error instanceof Rejected && error.code === 'cluster-full') return false;
            throw error;
          }
        };
        const scaling = accepts(() =>
          given(...running)
            .knowing({ cluster: known })
            .when(scaleEndpoint, { endpoint_id, replicas })
            .facts(),
        );
        expect(outcomeOf(known, { reserve: endpoint_id, replicas, each }) !== 'cluster-full').to.equal(scaling);
      }),
      { numRuns: RUNS },
    );
  });
});
