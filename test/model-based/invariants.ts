import { isDeepStrictEqual } from 'node:util';
import { listReservations } from '../../src/commands/cluster/reservations.ts';
import { capacityOf } from '../../src/events/capacity.ts';
import { nameKey } from '../../src/events/name-key.ts';
import { createMemoryEngine } from './memory-engine.ts';
import { processes, type World } from './world.ts';

/** What must hold, by name. */
export const CLAIMS = {
  names: 'a name never has two holders',
  capacity: 'no more is reserved than there is',
  parked: 'no process manager fails on an event, and no intent keeps failing',
  'open-work': 'in the end nothing is left to do',
  workflows: 'in the end every workflow has ended',
  resources: 'in the end every resource is in a final or stable state',
  mended: 'in the end no endpoint is degraded, since the cluster is healthy',
  counts: 'in the end desired, observed, reserved replicas and those of the service agree',
  reservations: 'in the end only endpoints that are there hold capacity',
  leftovers: 'in the end nothing is left on the cluster that no endpoint owns',
  objects: 'in the end exactly the files of the models that are there are stored',
  replay: 'a replay of the log makes the live state',
} as const;
export type Claim = keyof typeof CLAIMS;

export interface Violation {
  claim: Claim;
  text: string;
}

const doubleHolders = ({ aggregates }: World): Violation[] => {
  const holders = new Map<string, string>();
  return aggregates.claims().flatMap(({ id, claim: { kind, name } }) => {
    const key = `${kind} "${nameKey(name)}"`;
    const other = holders.get(key);
    holders.set(key, id);
    return other === undefined ? [] : [{ claim: 'names' as const, text: `${key} is held by ${other} and ${id}` }];
  });
};

const overbooked = ({ aggregates }: World): Violation[] =>
  aggregates.clusters().flatMap(({ id, state }) => {
    const { cpu_millis, memory_mib } = capacityOf({
      ...state,
      reservations: listReservations(state.reservations),
    }).free;
    return cpu_millis < 0 || memory_mib < 0
      ? [{ claim: 'capacity', text: `cluster ${id} has ${cpu_millis} millicores and ${memory_mib} MiB free` }]
      : [];
  });

const parked = ({ engine: { store } }: World): Violation[] => [
  ...store.failures.map(({ process, event, error }) => ({
    claim: 'parked' as const,
    text: `${process} fails on ${event.type}: ${error instanceof Error ? error.message : error}`,
  })),
  ...store.parkedWork.map(({ process, intent, error }) => ({
    claim: 'parked' as const,
    text: `${process} cannot perform ${JSON.stringify(intent)}: ${error}`,
  })),
];

/** What must hold at any time. */
export const violationsNow = (world: World): Violation[] => [
  ...doubleHolders(world),
  ...overbooked(world),
  ...parked(world),
];

/** The cluster service does not know the cluster any more, so nothing on it can be mended. */
const isLost = ({ services }: World, bud_cluster_id: unknown): boolean =>
  !services.clusters.has(String(bud_cluster_id));

/** What is looked after for as long as it is as it is. */
const lookedAfter = (world: World): string[] => [
  ...world.endpoints().flatMap(({ id, status }) => (status === 'degraded' ? [id] : [])),
  ...world
    .clusters()
    .flatMap(({ id, status, bud_cluster_id }) =>
      status === 'unavailable' && isLost(world, bud_cluster_id) ? [id] : [],
    ),
];

/** The workflows that look after a degraded endpoint or a lost cluster go on for as long as it is. */
const looksAfter = (world: World, workflow_id: unknown): boolean => {
  const workflow = world.rows('workflows').find(({ id }) => id === workflow_id);
  const target = JSON.stringify(workflow?.target ?? null);
  const isRecovery = workflow?.kind === 'endpoint-recovery' || workflow?.kind === 'cluster-recovery';
  return isRecovery && lookedAfter(world).some((id) => target.includes(id));
};

const openWork = (world: World): Violation[] => [
  ...world.engine.store.intents
    .filter(({ done }) => !done)
    .map(({ process, intent }) => ({ claim: 'open-work' as const, text: `${process}: ${JSON.stringify(intent)}` })),
  ...[...world.engine.store.timers.values()]
    .filter(({ instance_id }) => !looksAfter(world, instance_id))
    .map(({ process, timer, due_at }) => ({
      claim: 'open-work' as const,
      text: `${process}: the timer ${timer} of ${due_at}`,
    })),
  ...world.services
    .running()
    .map(({ type }) => ({ claim: 'open-work' as const, text: `the service still works on ${type}` })),
];

const STABLE: Readonly<Record<string, readonly string[]>> = {
  endpoints: ['running', 'degraded', 'stopped', 'failed', 'cancelled', 'deleted'],
  clusters: ['available', 'error', 'deleted'],
  models: ['active', 'failed', 'deleted'],
};

const unstable = (world: World): Violation[] =>
  Object.entries(STABLE).flatMap(([table, stable]) =>
    world
      .rows(table)
      .flatMap(({ id, status }) =>
        stable.includes(String(status)) || lookedAfter(world).includes(String(id))
          ? []
          : [{ claim: 'resources' as const, text: `${table} ${id} is ${status}` }],
      ),
  );

const degraded = (world: World): Violation[] =>
  world
    .endpoints()
    .flatMap(({ id, status, reason, bud_cluster_id }) =>
      status === 'degraded' && !isLost(world, bud_cluster_id)
        ? [{ claim: 'mended' as const, text: `endpoint ${id}: ${reason?.message}` }]
        : [],
    );

const openWorkflows = (world: World): Violation[] =>
  world
    .rows('workflows')
    .flatMap(({ id, kind, status }) =>
      status === 'running' && !looksAfter(world, id)
        ? [{ claim: 'workflows' as const, text: `${kind} ${id} is running` }]
        : [],
    );

/** Fault 7's five counts of an endpoint that runs or is stopped; a process of the machine is a worker here. */
const differentCounts = (world: World): Violation[] => {
  const reserved = new Map(
    world.aggregates
      .clusters()
      .flatMap(({ state }) =>
        Object.entries(listReservations(state.reservations)).map(([id, { replicas }]) => [id, replicas] as const),
      ),
  );
  return world.endpoints().flatMap(({ id, status, desired, observed, namespace }) => {
    if (status !== 'running' && status !== 'stopped') return [];
    const workers = world.services.namespaces.get(namespace ?? '')?.workers.length ?? 0;
    const counts = {
      desired: desired.replicas,
      observed: observed?.replicas.available,
      listed: observed?.workers.length,
      workers,
      reserved: reserved.get(id),
    };
    const agree = Object.values(counts).every((count) => count === counts.desired);
    return agree ? [] : [{ claim: 'counts', text: `endpoint ${id}: ${JSON.stringify(counts)}` }];
  });
};

/** An endpoint whose deletion failed says that something may be left, and still holds name and capacity. */
const mayHold = (world: World, id: string): boolean => {
  const row = world.endpoints().find((endpointRow) => endpointRow.id === id);
  if (!row) return false;
  return (
    !['failed', 'cancelled', 'deleted'].includes(row.status) ||
    (row.status === 'failed' && row.rollout.kind === 'delete')
  );
};

const strayReservations = (world: World): Violation[] =>
  world.aggregates.clusters().flatMap(({ id, state }) =>
    Object.keys(listReservations(state.reservations))
      .filter((holder) => !mayHold(world, holder))
      .map((holder) => ({ claim: 'reservations', text: `endpoint ${holder} still holds capacity of cluster ${id}` })),
  );

const leftovers = (world: World): Violation[] =>
  [...world.services.namespaces.keys()].flatMap((namespace) => {
    const owner = world.endpoints().find((row) => row.namespace === namespace && mayHold(world, row.id));
    return owner ? [] : [{ claim: 'leftovers', text: `${namespace} is left on the cluster` }];
  });

const strayObjects = (world: World): Violation[] => {
  const wanted = new Set(
    world.aggregates.models().flatMap(({ state }) => {
      const { status, artefact } = state;
      const isWanted = status === 'active' || status === 'onboarding' || (status === 'failed' && state.artefact_kept);
      return artefact && isWanted ? [artefact.object_key] : [];
    }),
  );
  const left = [...world.objects].filter((key) => !wanted.has(key));
  const missing = [...wanted].filter((key) => !world.objects.has(key));
  return [
    ...left.map((key) => ({
      claim: 'objects' as const,
      text: `${key} is left`,
    })),
    ...missing.map((key) => ({ claim: 'objects' as const, text: `${key} is missing` })),
  ];
};

/** Read models and process states that a replay makes anew must equal those that came about live. */
const differentReplay = (world: World): Violation[] => {
  const different = world.readModels.differencesFrom(world.history);
  const fail = () => {
    throw new Error('a replay performs nothing');
  };
  const gate = { pass: () => undefined, killAfter: fail, isDown: () => false, restart: fail };
  const replayed = createMemoryEngine({ processes, performer: fail, now: world.now, gate });
  replayed.read(world.history);
  const statesIn = ({ store }: typeof replayed) =>
    [...store.instances]
      .map(({ process, instance_id, state, ended, position, parked: isParked }) => ({
        process,
        instance_id,
        state,
        ended,
        position,
        isParked,
      }))
      .toSorted((a, b) => `${a.process}${a.instance_id}`.localeCompare(`${b.process}${b.instance_id}`));
  const intentsIn = ({ store }: typeof replayed) =>
    store.intents
      .filter(({ lane }) => lane === 'deeds')
      .map(({ process, event_id, n, intent }) => ({ process, event_id, n, intent }));
  if (!isDeepStrictEqual(statesIn(replayed), statesIn(world.engine))) different.push('process states differ');
  if (!isDeepStrictEqual(intentsIn(replayed), intentsIn(world.engine))) different.push('intents differ');
  return different.map((text) => ({ claim: 'replay', text }));
};

/** What must hold in the end, once the services are healthy and time has passed. */
export const violationsInTheEnd = (world: World): Violation[] => [
  ...violationsNow(world),
  ...openWork(world),
  ...openWorkflows(world),
  ...unstable(world),
  ...degraded(world),
  ...differentCounts(world),
  ...strayReservations(world),
  ...leftovers(world),
  ...strayObjects(world),
  ...differentReplay(world),
];
