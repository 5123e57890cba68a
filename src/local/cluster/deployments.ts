import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { v5 } from 'uuid';
import type { DeploymentStatus } from '../../contracts/notification.ts';
import type { Holding } from '../../events/capacity.ts';
import { timesResources } from '../../events/resources.ts';
import type { Engine } from '../engine/engine.ts';
import type { Engines } from '../engine/engines.ts';
import { ServiceRefusal } from '../service/loopback.ts';
import { type ClusterState, type DeploymentRecord, findOwn, type WorkerRecord } from './cluster-state.ts';
import { deploymentStatus } from './deployment-status.ts';
import type { Taken } from './machine.ts';
import { createWorker, type Worker } from './worker.ts';

/** On this machine, over all deployments. */
const MAX_REPLICAS = 64;
const WORKER_NAMESPACE = '7f0b3c52-6f0e-5d11-8f9a-0c1e5a7b9d24';

export interface Deployments {
  find(namespace: string): DeploymentRecord | undefined;
  listOf(clusterId: string): DeploymentRecord[];
  /** Stores the record, or returns the existing one of the namespace. Starts nothing. */
  add(record: DeploymentRecord): Promise<DeploymentRecord>;
  /** Records that the artefact of `namespace` has been transferred. */
  setSize(namespace: string, model_bytes: number): Promise<void>;
  /** The engine of `namespace`. */
  findEngine(namespace: string): Engine | undefined;
  /** The paths that can be called under its URL. */
  paths(namespace: string): string[];
  /** Starts `count` workers for a workflow, minus those that it has already. Returns all workers of the workflow. */
  addWorkers(namespace: string, options: { count: number; made_by: string }): Promise<Worker[]>;
  removeWorkers(namespace: string, unwanted: (worker: WorkerRecord) => boolean): Promise<void>;
  /** Commits the workers of this workflow: from now on they are reported, and restored after a restart. */
  serve(namespace: string, made_by: string): Promise<void>;
  /**
   * Ends the processes, then deletes the record and the files. Removing a namespace that does not exist does nothing.
   */
  remove(namespace: string): Promise<void>;
  /** All workers, or only those of one workflow. */
  workers(namespace: string, made_by?: string): Worker[];
  findWorker(id: string): { record: DeploymentRecord; worker: Worker } | undefined;
  status(namespace: string): DeploymentStatus;
  /** What the replicas take that are there for a cluster, those that are starting or failing included. */
  taken(clusterId: string): Taken;
  folder(namespace: string): string;
  /** Restarts the deployments of the previous run, and deletes files that belong to none. */
  resume(): Promise<void>;
  /** Ends the processes; the records stay for the next run. */
  close(): Promise<void>;
}

export interface DeploymentsOptions {
  state: ClusterState;
  engines: Engines;
  dir: string;
  /** Called when the status of a serving deployment has changed. */
  onStatus: (record: DeploymentRecord, status: DeploymentStatus) => void;
  /** Called when the replicas of a cluster have become more or fewer. */
  onTaken?: (clusterId: string) => void;
}

const isServing = (record: DeploymentRecord, workerId: string): boolean =>
  record.workers.some(({ id, serving }) => serving && id === workerId);

/** The parts of a status whose change is reported: not the uptime, but which process serves. */
const fingerprint = (status: DeploymentStatus): string =>
  JSON.stringify([status.replicas, status.worker_data_list?.map(({ id, status, pid }) => [id, status, pid])]);

/** Size in bytes; 0 where the file does not exist. */
const sizeOf = async (file: string): Promise<number> => {
  const stats = await stat(file).catch(() => null);
  return stats?.size ?? 0;
};

const assertRoom = (running: number, wanted: number) => {
  if (running + wanted > MAX_REPLICAS) {
    throw new ServiceRefusal(409, `the local cluster runs at most ${MAX_REPLICAS} replicas; ${running} run already`);
  }
};

export const createDeployments = ({ state, engines, dir, onStatus, onTaken }: DeploymentsOptions): Deployments => {
  const running = new Map<string, Worker[]>();
  const reported = new Map<string, string>();
  let closed = false;

  const find = (namespace: string) => findOwn(state.data.deployments, namespace);
  const workers = (namespace: string) => running.get(namespace) ?? [];
  const madeBy = (namespace: string, workflowId: string) => {
    const ids = new Set(find(namespace)?.workers.flatMap(({ id, made_by }) => (made_by === workflowId ? [id] : [])));
    return workers(namespace).filter(({ id }) => ids.has(id));
  };
  const folder = (namespace: string) => join(dir, namespace);
  const replicas = () => [...running.values()].reduce((sum, list) => sum + list.length, 0);

  const holdingOf = ({ namespace, model_bytes, engine }: DeploymentRecord): Holding => {
    const replicas = workers(namespace).length;
    return { replicas, resources: timesResources(engines.get(engine).footprint(model_bytes), replicas) };
  };

  const get = (namespace: string): DeploymentRecord => {
    const record = find(namespace);
    if (record === undefined) throw new ServiceRefusal(404, `no deployment ${namespace}`);
    return record;
  };

  const pathsOf = ({ engine, model_name }: DeploymentRecord) => engines.get(engine).paths(model_name);

  const servingStatus = (record: DeploymentRecord) =>
    deploymentStatus(
      pathsOf(record),
      workers(record.namespace).filter(({ id }) => isServing(record, id)),
    );

  const report = (namespace: string) => {
    const record = find(namespace);
    if (closed || record?.serving !== true) return;
    const status = servingStatus(record);
    const mark = fingerprint(status);
    if (reported.get(namespace) === mark) return;
    reported.set(namespace, mark);
    onStatus(record, status);
  };

  // All records exist before the first worker starts, so that no report counts only some of them.
  const startWorkers = (record: DeploymentRecord, entries: readonly WorkerRecord[]) => {
    const { namespace, model_file, model_name } = record;
    const engine = engines.get(record.engine);
    const launch = (onLine: (line: string) => void) =>
      engine.launch({ model_file, model_name, marker: state.data.marker, onLine });
    const onChange = () => report(namespace);
    const added = entries.map(({ id, name }) => createWorker({ id, name, launch, isAlive: engine.isAlive, onChange }));
    running.set(namespace, [...workers(namespace), ...added]);
    for (const worker of added) worker.start();
  };

  const newWorkers = (record: DeploymentRecord, made_by: string, amount: number): WorkerRecord[] =>
    Array.from({ length: amount }, (_, index) => {
      const name = `${record.namespace}-${record.next_number + index}`;
      return { id: v5(name, WORKER_NAMESPACE), name, made_by, serving: false };
    });

  const stopWorkers = async (namespace: string, unwanted: (id: string) => boolean) => {
    const [out, kept] = [
      workers(namespace).filter(({ id }) => unwanted(id)),
      workers(namespace).filter(({ id }) => !unwanted(id)),
    ];
    if (kept.length === 0) running.delete(namespace);
    else running.set(namespace, kept);
    await Promise.all(out.map((worker) => worker.stop()));
  };

  return {
    find,
    workers: (namespace, made_by) => (made_by === undefined ? workers(namespace) : madeBy(namespace, made_by)),
    folder,
    taken(clusterId) {
      const all = Object.values(state.data.deployments);
      const own = all.filter(({ cluster_id }) => cluster_id === clusterId);
      const others = all.filter(({ cluster_id }) => cluster_id !== clusterId);
      return {
        own: Object.fromEntries(own.map((record) => [record.namespace, holdingOf(record)])),
        others: others.map(holdingOf),
      };
    },
    listOf: (clusterId) => Object.values(state.data.deployments).filter(({ cluster_id }) => cluster_id === clusterId),
    async add(record) {
      const kept = find(record.namespace) ?? record;
      state.data.deployments[record.namespace] = kept;
      await state.save();
      return kept;
    },
    async setSize(namespace, model_bytes) {
      get(namespace).model_bytes = model_bytes;
      await state.save();
    },
    findEngine(namespace) {
      const record = find(namespace);
      return record && engines.get(record.engine);
    },
    paths: (namespace) => pathsOf(get(namespace)),
    async addWorkers(namespace, { count, made_by }) {
      const record = get(namespace);
      const missing = count - record.workers.filter((worker) => worker.made_by === made_by).length;
      assertRoom(replicas(), missing);
      const added = newWorkers(record, made_by, Math.max(0, missing));
      record.workers.push(...added);
      record.next_number += added.length;
      await state.save();
      // The namespace may have been deleted during the write.
      if (closed || find(namespace) !== record) throw new ServiceRefusal(404, `no deployment ${namespace}`);
      const known = new Set(workers(namespace).map(({ id }) => id));
      startWorkers(
        record,
        record.workers.filter((worker) => worker.made_by === made_by && !known.has(worker.id)),
      );
      onTaken?.(record.cluster_id);
      return madeBy(namespace, made_by);
    },
    async removeWorkers(namespace, unwanted) {
      const record = find(namespace);
      if (record === undefined) return;
      const ids = new Set(record.workers.filter(unwanted).map(({ id }) => id));
      record.workers = record.workers.filter(({ id }) => !ids.has(id));
      await state.save();
      await stopWorkers(namespace, (id) => ids.has(id));
      onTaken?.(record.cluster_id);
      report(namespace);
    },
    async serve(namespace, made_by) {
      const record = get(namespace);
      record.serving = true;
      for (const worker of record.workers) worker.serving ||= worker.made_by === made_by;
      reported.set(namespace, fingerprint(servingStatus(record)));
      await state.save();
    },
    async remove(namespace) {
      const record = find(namespace);
      if (record === undefined) return;
      delete state.data.deployments[namespace];
      reported.delete(namespace);
      await stopWorkers(namespace, () => true);
      onTaken?.(record.cluster_id);
      await rm(folder(namespace), { recursive: true, force: true });
      await state.save();
    },
    findWorker(id) {
      for (const record of Object.values(state.data.deployments)) {
        const worker = workers(record.namespace).find((candidate) => candidate.id === id);
        if (worker !== undefined) return { record, worker };
      }
      return undefined;
    },
    status: (namespace) => deploymentStatus(pathsOf(get(namespace)), workers(namespace)),
    async resume() {
      await mkdir(dir, { recursive: true });
      const strays = (await readdir(dir)).filter((name) => find(name) === undefined);
      await Promise.all(strays.map((name) => rm(folder(name), { recursive: true, force: true })));
      for (const record of Object.values(state.data.deployments)) {
        if (!record.serving) continue;
        // Older records have no size.
        if (record.model_bytes === 0) record.model_bytes = await sizeOf(record.model_file);
        startWorkers(
          record,
          record.workers.filter(({ serving }) => serving),
        );
      }
    },
    async close() {
      closed = true;
      await Promise.all([...running.values()].flat().map((worker) => worker.stop()));
    },
  };
};
