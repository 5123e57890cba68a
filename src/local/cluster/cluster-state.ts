import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { v4 } from 'uuid';
import { z } from 'zod';
import {
  AddWorkerRequest,
  ClusterCreateRequest,
  DeleteClusterRequest,
  DeleteDeploymentRequest,
  DeleteWorkerRequest,
  DeployRequest,
} from '../../contracts/budcluster.ts';
import { Notification } from '../../contracts/notification.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { clearUnfinished, writeAtomically } from '../../resilience/atomic-file.ts';

const ClusterRecord = z.object({
  id: z.string(),
  name: z.string(),
  cluster_type: z.string(),
  ingress_url: z.string(),
  /** Only the digest is stored, since the configuration contains credentials. */
  configuration_sha256: z.string(),
});
export type ClusterRecord = z.infer<typeof ClusterRecord>;

const WorkerRecord = z.object({
  id: z.string(),
  name: z.string(),
  /** The workflow that created it, and that removes it again where it fails. */
  made_by: z.string(),
  /** False until that workflow has succeeded: only then it counts in reports and is restored after a restart. */
  serving: z.boolean(),
});
export type WorkerRecord = z.infer<typeof WorkerRecord>;

/** Older records have no engine: there was only this one. */
const ENGINE_OF_OLD_RECORDS = 'onnxruntime';

const DeploymentRecord = z.object({
  namespace: z.string(),
  cluster_id: z.string(),
  simulator_id: z.string(),
  model_name: z.string(),
  /** The cluster's own copy of the artefact. */
  model_file: z.string(),
  /** Size of the artefact; 0 until it is transferred. */
  model_bytes: z.int().min(0).default(0),
  /** Name of the engine that serves it. */
  engine: z.string().default(ENGINE_OF_OLD_RECORDS),
  made_by: z.string(),
  /**
   * False until its first workflow has succeeded: only then its status is reported and it is restored after a restart.
   */
  serving: z.boolean(),
  workers: z.array(WorkerRecord),
  /** Names are never reused: `<namespace>-<next_number>`. */
  next_number: z.int(),
});
export type DeploymentRecord = z.infer<typeof DeploymentRecord>;

/** The request of a workflow. */
export const WorkflowInput = z.discriminatedUnion('operation', [
  z.object({ operation: z.literal('deploy'), request: DeployRequest }),
  z.object({ operation: z.literal('add-worker'), request: AddWorkerRequest }),
  z.object({ operation: z.literal('delete-deployment'), request: DeleteDeploymentRequest }),
  z.object({ operation: z.literal('delete-worker'), request: DeleteWorkerRequest }),
  z.object({
    operation: z.literal('register-cluster'),
    request: ClusterCreateRequest,
    /** Null where there was none. */
    configuration_sha256: z.string().nullable(),
  }),
  z.object({ operation: z.literal('delete-cluster'), request: DeleteClusterRequest }),
]);
export type WorkflowInput = z.infer<typeof WorkflowInput>;

/** A workflow as it is stored. */
const StoredWorkflow = z.object({
  /** The service's own id of the workflow, which `cancel` names. */
  id: z.string(),
  /** The request, so that the workflow can be resumed after a crash. */
  input: WorkflowInput,
  status: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  /** The last messages, which are sent again where the request is repeated. */
  closing_messages: z.array(Notification),
  /** False where the messages may not have been sent. Older workflows have sent them. */
  told: z.boolean().default(true),
});
export type StoredWorkflow = z.infer<typeof StoredWorkflow>;

const State = z.object({
  version: z.literal(1),
  /** Distinguishes this service's processes from those of other cluster services on this machine. */
  marker: z.string(),
  port: z.int(),
  clusters: z.record(z.string(), ClusterRecord),
  deployments: z.record(z.string(), DeploymentRecord),
  /** Workflows by request: operation, the caller's workflow id and target. Oldest first. */
  workflows: z.record(z.string(), StoredWorkflow),
});
type State = z.infer<typeof State>;

/** All state that must survive a crash. Change `data` in place, then call `save`. */
export interface ClusterState {
  data: State;
  /** Resolves when everything changed so far is on disk. */
  save(): Promise<void>;
}

/** Keys come from requests: `__proto__` must find nothing. */
export const findOwn = <T>(records: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(records, key) ? records[key] : undefined;

const empty = (): State => ({
  version: 1,
  marker: `budapp-replica-${v4()}`,
  port: 0,
  clusters: {},
  deployments: {},
  workflows: {},
});

const read = async (file: string): Promise<State> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return empty();
    throw error;
  }
  try {
    return State.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} cannot be read; restore it, or move it away to start with an empty local cluster`, {
      cause,
    });
  }
};

export const openClusterState = async (dir: string): Promise<ClusterState> => {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'state.json');
  await clearUnfinished(file);
  const data = await read(file);
  let writing: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | null = null;

  // Changes during a write are saved together by the next one.
  const save = (): Promise<void> => {
    if (waiting !== null) return waiting;
    const next = writing
      .catch(() => undefined)
      .then(() => {
        waiting = null;
        return writeAtomically(file, JSON.stringify(data));
      });
    waiting = next;
    writing = next;
    return next;
  };
  await save();
  return { data, save };
};
