import type { NotificationMetadata } from '../../src/contracts/asynchronous.ts';
import type { Notification } from '../../src/contracts/notification.ts';
import { ServiceFailure, type ServiceInvoker, type ServiceRequest } from '../../src/ports/service-invoker.ts';

/** What is wrong with a service. Each is what a call meets; `dead` and `frozen` also stop the service's own work. */
export const FAULTS = [
  'slow',
  'frozen',
  'failing',
  'refusing',
  'nonsense',
  'lost-answer',
  'forgetful',
  'no-result',
  'unreadable-result',
  'reports-failure',
  'result-first',
  'dead',
] as const;
export type Fault = (typeof FAULTS)[number];

export const SERVICES = ['budcluster', 'budsim', 'budmodel'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A worker as the service lists it. */
export interface SimulatedWorker {
  id: string;
  name: string;
  status: 'Running' | 'Failed';
}

export interface SimulatedNamespace {
  cluster_id: string;
  workers: SimulatedWorker[];
  made: number;
}

/** How a job ends and what it tells then; `result` where nothing is wrong. */
type Ending = 'result' | 'no-result' | 'unreadable-result' | 'reports-failure';

/** An asynchronous request under way, or ended. */
interface Job {
  id: string;
  service: ServiceName;
  type: string;
  to: NotificationMetadata;
  /** The steps that are not told yet. */
  steps: string[];
  status: 'running' | 'succeeded' | 'failed' | 'cancelled';
  ending: Ending;
  /** Does the work of a step; an answer is why the step fails. */
  work(step: string): string | null;
  result(): unknown;
  undo(): void;
}

type NewJob = Omit<Job, 'id' | 'service' | 'to' | 'status' | 'ending'>;

/** Text, kept from BudApp by nothing. */
export interface Envelope {
  label: string;
  body: unknown;
}

interface Options {
  /** Lets the time of an answer pass. */
  advance(milliseconds: number): void;
  /** Brings a message to BudApp at once. */
  deliver(envelope: Envelope): Promise<void>;
}

const NODE = { name: 'n1', status: 'Ready', capacity: { cpu_millis: 2000, memory_mib: 16_384 } };

const STEPS = {
  deploy: [
    'verify_cluster_connection',
    'transfer_model_to_cluster',
    'deploy_to_engine',
    'verify_deployment_status',
    'run_performance_benchmark',
  ],
  register: [
    'determine_cluster_platform',
    'check_duplicate_config',
    'verify_cluster_connection',
    'configure_cluster',
    'fetch_cluster_info',
  ],
  simulate: ['validation', 'performance_estimation', 'ranking'],
  extract: ['validation', 'model_download', 'model_extraction', 'save_model'],
};

const failure = (status: number | null, retryable: boolean, message: string) =>
  new ServiceFailure(message, { retryable, status });

const textIn = (value: unknown, field: string): string => {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
  return typeof found === 'string' ? found : '';
};
const objectIn = (value: unknown, field: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;

const metadataIn = (body: unknown): NotificationMetadata => {
  const metadata = objectIn(body, 'notification_metadata');
  const workflow_id = textIn(metadata, 'workflow_id');
  return { name: 'bud-internal', subscriber_ids: textIn(metadata, 'subscriber_ids'), workflow_id };
};

/**
 * The cluster service, the simulator and the model service. They hold their own truth, work in small steps, and speak the
 * contracts: an asynchronous request is answered at once and told by messages, which wait in the outbox.
 */
export const createSimulatedServices = ({ advance, deliver }: Options) => {
  const clusters = new Set<string>();
  const namespaces = new Map<string, SimulatedNamespace>();
  const jobs = new Map<string, Job>();
  const faults = new Map<ServiceName, { fault: Fault; calls: number }>();
  let outbox: Envelope[] = [];
  /** The name of the call that is being made; null: a question of the status watch. */
  let call: string | null = null;
  /** The fault that begins with a call of this name, and the one that has begun and is of this call only. */
  let faultOfCall: { call: string; fault: Fault | 'wiped' } | null = null;
  let lasting: { call: string; fault: Fault } | null = null;
  let began = false;
  let published = 0;
  let started = 0;

  const publish = (source: ServiceName, to: NotificationMetadata | null, content: Record<string, unknown>): void => {
    published += 1;
    const { type, event, status, message = '', result = null } = content;
    const body: Notification = {
      specversion: '1.0',
      id: `message-${published}`,
      payload: {
        category: 'internal',
        type: String(type),
        event: String(event),
        workflow_id: to?.workflow_id ?? null,
        source,
        content: { title: String(event), message: String(message), status: String(status), result },
      },
    };
    outbox.push({ label: `${type} ${event} ${status}`, body: JSON.parse(JSON.stringify(body)) });
  };

  const listWorkers = (namespace: string) => {
    const workers = namespaces.get(namespace)?.workers ?? [];
    const status = workers.every((worker) => worker.status === 'Running') && workers.length > 0 ? 'ready' : 'failed';
    return workers.map((worker) => ({
      ...worker,
      node_name: NODE.name,
      device_name: 'cpu',
      deployment_status: status,
    }));
  };

  const statusOf = (namespace: string) => {
    const workers = listWorkers(namespace);
    const available = workers.filter(({ status }) => status === 'Running').length;
    return {
      status: available > 0 && available === workers.length ? 'ready' : 'failed',
      ingress_health: available > 0,
      replicas: { total: workers.length, available, failed: workers.length - available, pending: 0 },
      worker_data_list: workers,
    };
  };

  const addWorkers = (namespace: SimulatedNamespace, count: number, made_by: string): void => {
    for (let added = 0; added < count; added += 1) {
      namespace.made += 1;
      const name = `${made_by}-w${String(namespace.made).padStart(2, '0')}`;
      namespace.workers.push({ id: name, name, status: 'Running' });
    }
  };

  const deploymentJob = (id: string, body: unknown): NewJob => {
    const existing = textIn(body, 'existing_deployment_namespace');
    const name = existing || `ns-${id}`;
    const cluster_id = textIn(body, 'cluster_id');
    const wanted = existing ? objectIn(body, 'concurrency') : objectIn(objectIn(body, 'budaiscaler'), 'min_replicas');
    const count = typeof wanted === 'number' ? wanted : 1;
    const work = (step: string): string | null => {
      if (step === 'verify_cluster_connection') return clusters.has(cluster_id) ? null : `no cluster ${cluster_id}`;
      if (existing && !namespaces.has(existing)) return `no deployment ${existing}`;
      if (step !== 'deploy_to_engine') return null;
      const namespace = namespaces.get(name) ?? { cluster_id, workers: [], made: 0 };
      namespaces.set(name, namespace);
      addWorkers(namespace, count, id);
      return null;
    };
    return {
      type: existing ? 'add_worker' : 'deploy_model',
      steps: [...STEPS.deploy],
      work,
      result: () => ({
        namespace: name,
        cluster_id,
        result: { deployment_url: `http://cluster.test/${name}` },
        supported_endpoints: ['/v2'],
        deployment_status: statusOf(name),
      }),
      undo: () => {
        const namespace = namespaces.get(name);
        if (!namespace) return;
        namespace.workers = namespace.workers.filter((worker) => !worker.id.startsWith(`${id}-`));
        if (!existing) namespaces.delete(name);
      },
    };
  };

  const removal = (type: string, step: string, remove: () => void, result: () => unknown = () => null): NewJob => ({
    type,
    steps: [step],
    work: () => {
      remove();
      return null;
    },
    result,
    undo: () => undefined,
  });

  const namespaceOfWorker = (id: string) =>
    [...namespaces.values()].find(({ workers }) => workers.some((worker) => worker.id === id));

  const jobFor = (id: string, { method, path, body, multipart }: ServiceRequest): NewJob | null => {
    const done = { work: () => null, undo: () => undefined };
    switch (`${method} ${path}`) {
      case 'POST cluster':
        if (multipart === undefined) return null;
        return {
          type: 'register_cluster',
          steps: [...STEPS.register],
          work: (step) => {
            if (step === 'configure_cluster') clusters.add(id);
            return null;
          },
          result: () => ({ id, nodes: [NODE] }),
          undo: () => {
            clusters.delete(id);
          },
        };
      case 'POST cluster/delete':
        return removal('delete_cluster', 'delete_namespace', () => {
          const cluster_id = textIn(body, 'cluster_id');
          for (const [name, namespace] of namespaces) if (namespace.cluster_id === cluster_id) namespaces.delete(name);
          clusters.delete(cluster_id);
        });
      case 'POST deployment':
        return deploymentJob(id, body);
      case 'POST deployment/delete':
        return removal('delete_deployment', 'delete_namespace', () => {
          namespaces.delete(textIn(body, 'namespace'));
        });
      case 'DELETE deployment/worker-info': {
        const worker = textIn(body, 'worker_id');
        const namespace = namespaceOfWorker(worker);
        return removal(
          'delete_worker',
          'delete_worker',
          () => {
            if (namespace) namespace.workers = namespace.workers.filter((other) => other.id !== worker);
          },
          () => ({ worker_data_list: namespace ? namespace.workers : null }),
        );
      }
      case 'POST simulator/run': {
        const only = textIn(body, 'cluster_id');
        const result = () => ({
          workflow_id: id,
          recommendations: [...clusters]
            .filter((cluster) => only === '' || cluster === only)
            .map((cluster_id) => ({ cluster_id, metrics: {} })),
        });
        return { type: 'get_cluster_recommendations', steps: [...STEPS.simulate], ...done, result };
      }
      case 'POST model-info/extract': {
        const result = () => ({
          model_info: { author: 'somebody', architecture: { num_params: 1 } },
          local_path: null,
        });
        return { type: 'perform_model_extraction', steps: [...STEPS.extract], ...done, result };
      }
      default:
        return null;
    }
  };

  const bodyOf = ({ body, multipart }: ServiceRequest): unknown =>
    multipart === undefined ? body : JSON.parse(multipart.cluster_create_request?.value ?? '{}');

  const tellResult = ({ service, to, type, ending, result: make }: Job): void => {
    const told = { result: make, 'no-result': () => null, 'unreadable-result': () => ['?'] };
    const result = ending === 'reports-failure' ? null : told[ending]();
    publish(service, to, { type, event: 'results', status: 'COMPLETED', result });
  };

  const startJob = (service: ServiceName, request: ServiceRequest, ending: Ending): Job | null => {
    const asked = bodyOf(request);
    // A repeated request is the same work.
    const key = `${request.method} ${request.path} ${JSON.stringify(asked)}`;
    const known = jobs.get(key);
    // What failed is done again.
    if (known && known.status !== 'failed') {
      if (known.status === 'succeeded') tellResult(known);
      return known;
    }
    started += 1;
    const id = `job-${started}`;
    const job = jobFor(id, request);
    if (!job) return null;
    const begun: Job = { ...job, id, service, to: metadataIn(asked), status: 'running', ending };
    jobs.set(key, begun);
    return begun;
  };

  const findJob = (id: string): Job | undefined => [...jobs.values()].find((job) => job.id === id);

  const cancel = (id: string): unknown => {
    const job = findJob(id);
    if (!job) throw failure(404, false, `no workflow ${id}`);
    if (job.status === 'running' || job.status === 'succeeded') {
      job.undo();
      job.status = 'cancelled';
    }
    return { message: 'stopped' };
  };

  const read = ({ method, path, query, body }: ServiceRequest): unknown => {
    const [area, id = '', what] = path.split('/');
    if (method === 'GET' && path === 'deployment/worker-info') {
      const namespace = query?.namespace ?? '';
      if (!namespaces.has(namespace)) throw failure(404, false, `no deployment ${namespace}`);
      return { workers: listWorkers(namespace) };
    }
    if (path.startsWith('deployment/cancel/') || path.startsWith('cluster/cancel/')) return cancel(what ?? '');
    if (path === 'cluster/update-node-status') {
      const cluster_id = textIn(body, 'cluster_id');
      if (!clusters.has(cluster_id)) throw failure(404, false, `no cluster ${cluster_id}`);
      return { message: 'on its way' };
    }
    if (area === 'cluster' && (what === 'health' || what === 'nodes')) {
      if (!clusters.has(id)) throw failure(404, false, `no cluster ${id}`);
      return what === 'health' ? { status: 'available' } : { nodes: [NODE] };
    }
    if (path === 'model-info/cloud-model/extract') return { model_info: { author: 'somebody' } };
    if (path === 'model-info/local-models') return { message: 'deleted' };
    throw failure(501, false, `the simulated services do not know ${method} ${path}`);
  };

  /** Does the next step of a job and tells of it. */
  const progress = (job: Job): void => {
    const { service, to, type } = job;
    const [step, ...rest] = job.steps;
    if (step !== undefined) {
      publish(service, to, { type, event: step, status: 'STARTED' });
      const breaks = job.ending === 'reports-failure' && rest.length === 0;
      const why = breaks ? 'it broke' : job.work(step);
      if (why !== null) {
        job.undo();
        job.status = 'failed';
        publish(service, to, { type, event: step, status: 'FAILED', message: why });
        publish(service, to, { type, event: 'results', status: 'FAILED', message: why });
        return;
      }
      publish(service, to, { type, event: step, status: 'COMPLETED' });
      job.steps = rest;
      return;
    }
    job.status = 'succeeded';
    tellResult(job);
  };

  /** Fails a job at its next step. */
  const fail = (job: Job): void => {
    const { service, to, type } = job;
    const event = job.steps[0] ?? 'results';
    job.undo();
    job.status = 'failed';
    publish(service, to, { type, event, status: 'FAILED', message: 'it broke' });
    if (event !== 'results') publish(service, to, { type, event: 'results', status: 'FAILED', message: 'it broke' });
  };

  /** The service forgets everything; of the cluster service, everything that ran there is gone. */
  const wipe = (service: ServiceName): void => {
    if (service === 'budcluster') {
      clusters.clear();
      namespaces.clear();
    }
    for (const [key, job] of jobs) if (job.service === service) jobs.delete(key);
  };

  const endingOf = (fault: Fault | null): Ending =>
    fault === 'no-result' || fault === 'unreadable-result' || fault === 'reports-failure' ? fault : 'result';

  const nameOf = (app_id: string): ServiceName => SERVICES.find((name) => name === app_id) ?? 'budcluster';

  /** Begins the fault that waits for this call, if one does. */
  const beginFaultOfCall = (service: ServiceName): void => {
    if (faultOfCall === null || faultOfCall.call !== call) return;
    const { fault } = faultOfCall;
    faultOfCall = null;
    began = true;
    if (fault === 'wiped') wipe(service);
    else if (fault === 'dead' || fault === 'frozen') faults.set(service, { fault, calls: Number.POSITIVE_INFINITY });
    else lasting = { call: String(call), fault };
  };

  const faultOf = (service: ServiceName): Fault | null => {
    beginFaultOfCall(service);
    if (lasting !== null && lasting.call === call) return lasting.fault;
    const found = faults.get(service);
    if (!found) return null;
    found.calls -= 1;
    if (found.calls <= 0) faults.delete(service);
    return found.fault;
  };

  const breakWorkersOf = ({ workers }: SimulatedNamespace, job: string): void => {
    for (const worker of workers) if (worker.id.startsWith(`${job}-`)) worker.status = 'Failed';
  };

  const finishAndDeliver = async (job: Job): Promise<void> => {
    const before = outbox;
    outbox = [];
    while (job.status === 'running') progress(job);
    const told = outbox;
    outbox = before;
    for (const envelope of told) await deliver(envelope);
  };

  const answerTo = (service: ServiceName, request: ServiceRequest, fault: Fault | null) => {
    const job = startJob(service, request, endingOf(fault));
    return { job, answer: job ? { workflow_id: job.id, status: 'PENDING' } : read(request) };
  };

  const invoke = async (request: ServiceRequest): Promise<unknown> => {
    const service = nameOf(request.app_id);
    const fault = faultOf(service);
    switch (fault) {
      case 'frozen':
        advance(request.timeout_ms);
        throw failure(null, true, `${request.path} did not answer in time`);
      case 'failing':
        throw failure(500, true, `${request.path} answered 500`);
      case 'refusing':
        throw failure(400, false, `${request.path} answered 400`);
      case 'dead':
        throw failure(null, true, `${service} cannot be reached`);
      case 'forgetful': {
        if (jobFor('forgotten', request)) return { workflow_id: 'forgotten', status: 'PENDING' };
        return read(request);
      }
      case 'nonsense': {
        answerTo(service, request, fault);
        return ['nonsense', 42];
      }
      case 'lost-answer':
        answerTo(service, request, fault);
        advance(request.timeout_ms);
        throw failure(null, true, `${request.path} did not answer in time`);
      case 'slow': {
        const { answer } = answerTo(service, request, fault);
        advance(request.timeout_ms - 1000);
        return answer;
      }
      case 'result-first': {
        const { job, answer } = answerTo(service, request, fault);
        if (job) await finishAndDeliver(job);
        return answer;
      }
      case 'no-result':
      case 'unreadable-result':
      case 'reports-failure':
      case null:
        return answerTo(service, request, fault).answer;
    }
  };

  const invoker: ServiceInvoker = { invoke };

  return {
    invoker,
    /** What really is on the clusters. */
    namespaces: namespaces as ReadonlyMap<string, SimulatedNamespace>,
    clusters: clusters as ReadonlySet<string>,
    setFault(service: ServiceName, fault: Fault, calls: number): void {
      faults.set(service, { fault, calls });
    },
    heal(): void {
      faults.clear();
      faultOfCall = null;
      lasting = null;
    },
    callIs(name: string | null): void {
      call = name;
    },
    /** From the next call of that name on. A service that is dead or frozen is so for all calls. */
    breakCall(name: string, fault: Fault | 'wiped'): void {
      faultOfCall = { call: name, fault };
      began = false;
    },
    hasBegun: (): boolean => began,
    /** The cluster service loses everything that it knew. */
    wipeCluster: (): void => wipe('budcluster'),
    /** The jobs that a live service works on. */
    running: (): Job[] =>
      [...jobs.values()].filter(({ status, service }) => {
        const fault = faults.get(service)?.fault;
        return status === 'running' && fault !== 'dead' && fault !== 'frozen';
      }),
    progress,
    fail,
    outbox: (): readonly Envelope[] => outbox,
    takeFromOutbox(index: number): Envelope | null {
      return outbox.splice(index, 1)[0] ?? null;
    },
    takeOutbox(): Envelope[] {
      return outbox.splice(0);
    },
    putBack(envelope: Envelope): void {
      outbox.push(envelope);
    },
    /** A replica crashes, or starts again. */
    setWorker(index: number, status: SimulatedWorker['status']): void {
      const workers = [...namespaces.values()].flatMap((namespace) => namespace.workers);
      const worker = workers[index % Math.max(1, workers.length)];
      if (worker) worker.status = status;
    },
    removeWorker(index: number): void {
      const [namespace] = namespaces.values();
      namespace?.workers.splice(index, 1);
    },
    removeNamespace(): void {
      const [name] = namespaces.keys();
      if (name !== undefined) namespaces.delete(name);
    },
    /** The deployment is there, but its status is not `ready`. */
    finishNotReady(job: Job | undefined): void {
      while (job?.status === 'running') {
        if (job.steps.length === 0) for (const namespace of namespaces.values()) breakWorkersOf(namespace, job.id);
        progress(job);
      }
    },
    reportUnavailable(): void {
      for (const cluster_id of clusters) {
        const result = { cluster_id, status: 'unavailable' };
        publish('budcluster', null, { type: 'cluster-status-update', event: 'status', status: 'COMPLETED', result });
      }
    },
    restartWorkers(): void {
      for (const { workers } of namespaces.values()) for (const worker of workers) worker.status = 'Running';
    },
    /** Tells how each deployment and cluster is. */
    report(): void {
      for (const name of namespaces.keys()) {
        const result = { deployment_name: name, ...statusOf(name) };
        publish('budcluster', null, { type: 'deployment-status-update', event: 'status', status: 'COMPLETED', result });
      }
      for (const cluster_id of clusters) {
        const result = { cluster_id, status: 'available', node_info: { id: cluster_id, nodes: [NODE] } };
        publish('budcluster', null, { type: 'cluster-status-update', event: 'status', status: 'COMPLETED', result });
      }
    },
  };
};
