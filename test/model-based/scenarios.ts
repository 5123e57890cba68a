import type { World } from './world.ts';

/** How a process is brought to make its calls, from the prepared state. */
export interface Scenario {
  name: string;
  /** What the user or the cluster does. */
  begin(world: World): Promise<void>;
  /** The table of the resource that is looked at in the end: its newest row, or the prepared one. */
  resource: { table: 'models' | 'clusters' | 'endpoints'; which: 'newest' | 'prepared' };
}

const idOf = (world: World, table: string, which: 'newest' | 'prepared'): string => {
  const ids = world.rows(table).map(({ id }) => String(id));
  return (which === 'newest' ? ids.at(-1) : ids[0]) ?? '';
};

const deploy = (world: World) =>
  world.send('DeployModel', {
    name: 'chat',
    replicas: 2,
    project_id: idOf(world, 'projects', 'prepared'),
    model_id: idOf(world, 'models', 'prepared'),
  });

const countOf = (world: World, call: string): number =>
  world.engine.store.intents.filter(({ intent, done }) => intent.kind === 'call' && intent.call === call && done)
    .length;

/** Until the call was made, once more than in the prepared state. */
const untilCalled = async (world: World, call: string): Promise<void> => {
  const before = countOf(world, call);
  for (let count = 0; count < 200 && countOf(world, call) === before; count += 1) await world.round();
};

const pass = async (world: World, seconds: number): Promise<void> => {
  await world.work(100);
  world.advance(seconds);
  await world.work(100);
};

/** What is seen once may go away by itself. */
const lookRepeatedly = async (world: World): Promise<void> => {
  for (let count = 0; count < 3; count += 1) {
    await world.watch();
    await world.work(100);
  }
};

const cancelNewest = (world: World) =>
  world.send('CancelWorkflow', { workflow_id: idOf(world, 'workflows', 'newest') });

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a file is uploaded',
    resource: { table: 'models', which: 'newest' },
    begin: async (world) => void (await world.upload('second')),
  },
  {
    name: 'a cloud model is registered',
    resource: { table: 'models', which: 'newest' },
    begin: async (world) => void (await world.send('RegisterCloudModel', { name: 'second', repo_id: 'org/model' })),
  },
  {
    name: 'a model is deleted',
    resource: { table: 'models', which: 'newest' },
    begin: async (world) => {
      await world.upload('second');
      await world.work(100);
      await world.send('DeleteModel', { model_id: idOf(world, 'models', 'newest') });
    },
  },
  {
    name: 'a cluster is registered',
    resource: { table: 'clusters', which: 'newest' },
    begin: async (world) =>
      void (await world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' })),
  },
  {
    name: 'a registration is cancelled',
    resource: { table: 'clusters', which: 'newest' },
    begin: async (world) => {
      await world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' });
      await untilCalled(world, 'cluster.register');
      await world.round();
      await cancelNewest(world);
    },
  },
  {
    name: 'a registration succeeds after it was cancelled',
    resource: { table: 'clusters', which: 'newest' },
    begin: async (world) => {
      await world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' });
      await untilCalled(world, 'cluster.register');
      for (const job of world.services.running()) while (job.status === 'running') world.services.progress(job);
      const late = world.services.takeOutbox();
      await cancelNewest(world);
      await world.work(100);
      for (const envelope of late) world.services.putBack(envelope);
    },
  },
  {
    name: 'a cluster is deleted',
    resource: { table: 'clusters', which: 'newest' },
    begin: async (world) => {
      await world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' });
      await world.work(100);
      await world.send('DeleteCluster', { cluster_id: idOf(world, 'clusters', 'newest') });
    },
  },
  {
    name: 'a cluster is deleted while it is registered',
    resource: { table: 'clusters', which: 'newest' },
    begin: async (world) => {
      await world.send('RegisterCluster', { name: 'second', configuration: 'kind: Config' });
      await untilCalled(world, 'cluster.register');
      await world.send('DeleteCluster', { cluster_id: idOf(world, 'clusters', 'newest') });
    },
  },
  {
    name: 'a cluster reports that it is unavailable',
    resource: { table: 'clusters', which: 'prepared' },
    begin: async (world) => {
      world.services.reportUnavailable();
      await pass(world, 20);
    },
  },
  {
    name: 'the cluster service forgets a cluster',
    resource: { table: 'clusters', which: 'prepared' },
    begin: async (world) => {
      world.services.wipeCluster();
      await lookRepeatedly(world);
    },
  },
  {
    name: 'a model is deployed',
    resource: { table: 'endpoints', which: 'newest' },
    begin: async (world) => void (await deploy(world)),
  },
  {
    name: 'a deployment is cancelled',
    resource: { table: 'endpoints', which: 'newest' },
    begin: async (world) => {
      await deploy(world);
      await untilCalled(world, 'cluster.deploy');
      await world.round();
      await cancelNewest(world);
    },
  },
  {
    name: 'a deployment succeeds after it was cancelled',
    resource: { table: 'endpoints', which: 'newest' },
    begin: async (world) => {
      await deploy(world);
      await untilCalled(world, 'cluster.deploy');
      for (const job of world.services.running()) while (job.status === 'running') world.services.progress(job);
      const late = world.services.takeOutbox();
      await cancelNewest(world);
      await world.work(100);
      for (const envelope of late) world.services.putBack(envelope);
    },
  },
  {
    name: 'a deployment does not become ready',
    resource: { table: 'endpoints', which: 'newest' },
    begin: async (world) => {
      await deploy(world);
      await untilCalled(world, 'cluster.deploy');
      await world.services.finishNotReady(world.services.running()[0]);
    },
  },
  {
    name: 'an endpoint is deleted while it is deployed',
    resource: { table: 'endpoints', which: 'newest' },
    begin: async (world) => {
      await deploy(world);
      await untilCalled(world, 'cluster.deploy');
      await world.send('DeleteEndpoint', { endpoint_id: idOf(world, 'endpoints', 'newest') });
    },
  },
  {
    name: 'an endpoint gets more replicas',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) =>
      void (await world.send('ScaleEndpoint', { endpoint_id: idOf(world, 'endpoints', 'prepared'), replicas: 4 })),
  },
  {
    name: 'an endpoint gets fewer replicas',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) =>
      void (await world.send('ScaleEndpoint', { endpoint_id: idOf(world, 'endpoints', 'prepared'), replicas: 1 })),
  },
  {
    name: 'an endpoint is deleted',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) =>
      void (await world.send('DeleteEndpoint', { endpoint_id: idOf(world, 'endpoints', 'prepared') })),
  },
  {
    name: 'a replica of an endpoint breaks',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) => {
      world.services.setWorker(0, 'Failed');
      world.services.report();
      await pass(world, 20);
    },
  },
  {
    name: 'a replica of an endpoint disappears',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) => {
      world.services.removeWorker(0);
      await lookRepeatedly(world);
    },
  },
  {
    name: 'the deployment of an endpoint disappears',
    resource: { table: 'endpoints', which: 'prepared' },
    begin: async (world) => {
      world.services.removeNamespace();
      await lookRepeatedly(world);
    },
  },
  {
    name: 'the cluster service forgets a cluster',
    resource: { table: 'clusters', which: 'prepared' },
    begin: async (world) => {
      world.services.wipeCluster();
      await lookRepeatedly(world);
    },
  },
];

export const rowOf = (world: World, { resource: { table, which } }: Scenario) => {
  const rows = world.rows(table);
  return which === 'newest' ? rows.at(-1) : rows[0];
};
