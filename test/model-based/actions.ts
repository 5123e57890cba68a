import fc from 'fast-check';
import { WorkflowTarget } from '../../src/events/workflow-events.ts';
import { FAULTS, type Fault, SERVICES, type ServiceName } from './simulated-services.ts';
import type { World } from './world.ts';

/** Which of those that there are, counted round and round: so an action always has something to act on. */
type Which = number;

/** One thing that a user, a service, the network, the clock or the machine does. */
export type Action =
  | { do: 'create-project'; name: string }
  | { do: 'delete-project'; which: Which }
  | { do: 'upload-model'; name: string }
  | { do: 'register-cloud-model'; name: string }
  | { do: 'delete-model'; which: Which }
  | { do: 'register-cluster'; name: string }
  | { do: 'delete-cluster'; which: Which }
  | { do: 'deploy'; name: string; replicas: number; model: Which; cluster: Which | null }
  | { do: 'scale'; which: Which; replicas: number }
  | { do: 'delete-endpoint'; which: Which }
  | { do: 'cancel'; which: Which }
  | { do: 'retry'; which: Which }
  | { do: 'work'; rounds: number }
  | { do: 'read'; events: number }
  | { do: 'perform'; which: Which }
  | { do: 'deliver'; which: Which }
  | { do: 'deliver-twice'; which: Which }
  | { do: 'lose'; which: Which }
  | { do: 'poison'; kind: number; which: Which }
  | { do: 'fail-job'; which: Which }
  | { do: 'fault'; service: ServiceName; fault: Fault; calls: number }
  | { do: 'break-replica'; which: Which }
  | { do: 'report' }
  | { do: 'watch' }
  | { do: 'pass'; seconds: number }
  | { do: 'pass-to-next' }
  | { do: 'kill'; after_writes: number };

const which = fc.nat(7);
const endpointName = fc.constantFrom('ocr', 'OCR', 'chat');
const resourceName = fc.constantFrom('first', 'First ', 'second');
const rounds = fc.constantFrom(1, 2, 3, 5, 8, 20);

const weighted = (weight: number, arbitrary: fc.Arbitrary<Action>) => ({ weight, arbitrary });
const just = <A extends Action>(action: A): fc.Arbitrary<Action> => fc.constant(action);
// The fields are those of the union's member of that name; the runs would fail on others at once.
const what = <Name extends Action['do']>(name: Name, fields: object): fc.Arbitrary<Action> =>
  fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Action>;

export const anAction: fc.Arbitrary<Action> = fc.oneof(
  weighted(12, what('work', { rounds })),
  weighted(
    6,
    what('deploy', {
      name: endpointName,
      replicas: fc.integer({ min: 1, max: 4 }),
      model: which,
      cluster: fc.option(which),
    }),
  ),
  weighted(5, what('scale', { which, replicas: fc.integer({ min: 0, max: 5 }) })),
  weighted(4, what('delete-endpoint', { which })),
  weighted(4, what('cancel', { which })),
  weighted(4, what('retry', { which })),
  weighted(1, what('create-project', { name: resourceName })),
  weighted(1, what('delete-project', { which })),
  weighted(2, what('upload-model', { name: resourceName })),
  weighted(1, what('register-cloud-model', { name: resourceName })),
  weighted(1, what('delete-model', { which })),
  weighted(2, what('register-cluster', { name: resourceName })),
  weighted(1, what('delete-cluster', { which })),
  weighted(2, what('read', { events: fc.integer({ min: 1, max: 4 }) })),
  weighted(2, what('perform', { which })),
  weighted(2, what('deliver', { which })),
  weighted(2, what('deliver-twice', { which })),
  weighted(2, what('lose', { which })),
  weighted(1, what('poison', { kind: fc.nat(4), which })),
  weighted(1, what('fail-job', { which })),
  weighted(
    6,
    what('fault', {
      service: fc.constantFrom(...SERVICES, 'budcluster' as const),
      fault: fc.constantFrom(...FAULTS),
      calls: fc.constantFrom(1, 2, 10, 1000),
    }),
  ),
  weighted(1, what('break-replica', { which })),
  weighted(1, just({ do: 'report' })),
  weighted(2, just({ do: 'watch' })),
  weighted(3, what('pass', { seconds: fc.constantFrom(1, 10, 60, 200, 1000, -5, -300) })),
  weighted(3, just({ do: 'pass-to-next' })),
  weighted(4, what('kill', { after_writes: fc.nat(6) })),
);

const pick = <T>(list: readonly T[], index: Which): T | undefined => list[index % Math.max(1, list.length)];

const idsOf = (world: World, table: string, hidden: readonly string[] = ['deleted']): string[] =>
  world
    .rows(table)
    .filter(({ status }) => !hidden.includes(String(status)))
    .map(({ id }) => String(id));

/** A message that no service should send. */
const poison = (world: World, kind: number, index: Which): unknown => {
  const workflow_id = pick(idsOf(world, 'workflows', []), index) ?? 'none';
  const payload = { category: 'internal', source: 'budcluster', workflow_id };
  const content = { title: 't', message: 'm', status: 'COMPLETED' };
  switch (kind) {
    case 0:
      return { payload: 'no object' };
    case 1:
      return {
        payload: {
          ...payload,
          type: 'deploy_model',
          event: 'results',
          content: { ...content, result: { namespace: 7 } },
        },
      };
    case 2:
      return {
        payload: { ...payload, type: 'nobody-knows', event: 'results', content: { ...content, result: ['x'] } },
      };
    case 3:
      return {
        payload: {
          ...payload,
          type: 'deploy_model',
          event: 'deploy_to_engine',
          content: { ...content, status: 'MAYBE' },
        },
      };
    default:
      return {
        payload: { ...payload, type: 'deploy_model', event: 'eta', content: { ...content, message: 'soon\u0000' } },
      };
  }
};

/** As the API does it, where the workflow's command must know which workflow it retries. */
const retry = async (world: World, index: Which): Promise<string> => {
  const commands = {
    'endpoint-deployment': 'RetryDeployment',
    'cluster-onboarding': 'RetryRegistration',
    'model-onboarding': 'RetryOnboarding',
  };
  const over = world.rows('workflows').flatMap(({ id, kind, target, status }) => {
    const command = Object.entries(commands).find(([name]) => name === kind)?.[1];
    const about = WorkflowTarget.parse(target);
    const data = { [`${about.area}_id`]: about.id, workflow_id: id };
    return command !== undefined && (status === 'failed' || status === 'cancelled') ? [{ command, data }] : [];
  });
  const order = pick(over, index);
  return order === undefined ? 'there is none' : world.send(order.command, order.data);
};

const deliver = async (world: World, index: Which, { twice = false } = {}): Promise<string> => {
  const { length } = world.services.outbox();
  if (length === 0) return 'nothing to deliver';
  const envelope = world.services.takeFromOutbox(index % length);
  if (!envelope) return 'nothing to deliver';
  const verdict = await world.receive(envelope);
  if (verdict !== 'done' || twice) world.services.putBack(envelope);
  return `${envelope.label}: ${verdict ?? 'killed'}`;
};

/** Does it, and says what came of it. */
export const perform = async (world: World, action: Action): Promise<string> => {
  const send = (type: string, data: object) => world.send(type, data);
  const about = (table: string, field: string, index: Which, type: string, data: object = {}) => {
    const id = pick(idsOf(world, table), index);
    return id === undefined ? Promise.resolve('there is none') : send(type, { [field]: id, ...data });
  };
  switch (action.do) {
    case 'create-project':
      return send('CreateProject', { name: action.name });
    case 'delete-project':
      return about('projects', 'project_id', action.which, 'DeleteProject');
    case 'upload-model':
      return world.upload(action.name);
    case 'register-cloud-model':
      return send('RegisterCloudModel', { name: action.name, repo_id: 'org/model' });
    case 'delete-model':
      return about('models', 'model_id', action.which, 'DeleteModel');
    case 'register-cluster':
      return send('RegisterCluster', { name: action.name, configuration: 'kind: Config' });
    case 'delete-cluster':
      return about('clusters', 'cluster_id', action.which, 'DeleteCluster');
    case 'deploy': {
      const { name, replicas, cluster } = action;
      const project_id = pick(idsOf(world, 'projects'), 0);
      const cluster_id = cluster === null ? undefined : pick(idsOf(world, 'clusters'), cluster);
      const data = { name, replicas, project_id, ...(cluster_id === undefined ? {} : { cluster_id }) };
      return about('models', 'model_id', action.model, 'DeployModel', data);
    }
    case 'scale':
      return about('endpoints', 'endpoint_id', action.which, 'ScaleEndpoint', { replicas: action.replicas });
    case 'delete-endpoint':
      return about('endpoints', 'endpoint_id', action.which, 'DeleteEndpoint');
    case 'cancel': {
      const running = idsOf(world, 'workflows', ['succeeded', 'failed', 'cancelled']);
      const workflow_id = pick(running, action.which);
      return workflow_id === undefined ? 'there is none' : send('CancelWorkflow', { workflow_id });
    }
    case 'retry':
      return retry(world, action.which);
    case 'work':
      return world.work(action.rounds).then(() => 'done');
    case 'read':
      return `${await world.read(action.events)} events`;
    case 'perform':
      return world.perform(action.which);
    case 'deliver':
      return deliver(world, action.which);
    case 'deliver-twice':
      return deliver(world, action.which, { twice: true });
    case 'lose': {
      const { length } = world.services.outbox();
      return world.services.takeFromOutbox(action.which % Math.max(1, length))?.label ?? 'nothing to lose';
    }
    case 'poison': {
      const body = poison(world, action.kind, action.which);
      return `${await world.receive({ label: 'poison', body })}`;
    }
    case 'fail-job': {
      const job = pick(world.services.running(), action.which);
      if (job) world.services.fail(job);
      return job?.type ?? 'no job runs';
    }
    case 'fault':
      world.services.setFault(action.service, action.fault, action.calls);
      return 'set';
    case 'break-replica':
      world.services.setWorker(action.which, 'Failed');
      world.services.report();
      return 'reported';
    case 'report':
      world.services.report();
      return 'told';
    case 'watch':
      return `${(await world.watch()) === null ? 'killed' : 'looked'}`;
    case 'pass':
      world.advance(action.seconds);
      await world.fireTimers();
      return 'passed';
    case 'pass-to-next':
      return world.advanceToNext(3600) ? 'passed' : 'nothing is due';
    case 'kill':
      world.gate.killAfter(action.after_writes);
      return 'armed';
  }
};

/** `deploy { name: 'ocr', replicas: 2 }` */
export const describe = ({ do: name, ...fields }: Action): string => {
  const text = Object.entries(fields).map(([field, value]) => `${field}: ${JSON.stringify(value)}`);
  return text.length === 0 ? name : `${name} { ${text.join(', ')} }`;
};
