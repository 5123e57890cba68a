import type { Logger } from 'pino';
import { v5, v7 } from 'uuid';
import type { WorkflowMetadata } from '../../contracts/asynchronous.ts';
import type { Notification, ReportedStepStatus } from '../../contracts/notification.ts';
import { failureText } from '../../failures/failure-text.ts';
import { messageOf } from '../service/message.ts';
import type { ClusterState, WorkflowInput, WorkflowRecord } from './cluster-state.ts';

/** A step did not come out as it should, for a reason that the user is told. */
export class StepFailed extends Error {}

export interface Step {
  id: string;
  title: string;
  description: string;
  /** Answers what was done, as a sentence. Throws `StepFailed`. Runs again after a crash, so a repeat must be harmless; gives up soon when `signal` aborts. */
  run(signal: AbortSignal): Promise<string>;
}

/** How a request is carried out. */
export interface Plan {
  /** `workflow_name` of the answer, for example `create_deployment`. */
  name: string;
  /** `payload.type` of the messages, for example `deploy_model`. */
  type: string;
  title: string;
  steps: readonly Step[];
  /** After the last step. */
  result(): Promise<unknown>;
  /** Removes whatever the steps have made; after a failure, or where the workflow is cancelled. */
  undo(): Promise<void>;
}

export interface Workflows {
  /** The same request again starts nothing: it gets the same answer, and the last messages once more. */
  start(input: WorkflowInput): Promise<WorkflowMetadata>;
  /** `ended`: nothing of it is left. `ending`: not yet. */
  cancel(id: string): Promise<'ended' | 'ending' | 'unknown'>;
  /** Carries on what a crash or a stop interrupted. */
  resume(): void;
  close(): Promise<void>;
}

export interface WorkflowsOptions {
  state: ClusterState;
  planOf: (record: WorkflowRecord) => Plan;
  publish: (message: Notification) => Promise<void>;
  log: Logger;
}

const SENDER = { source: 'budcluster', source_topic: 'budClusterMessages' };
const WORKFLOW_NAMESPACE = '0a4e3c9d-51c8-5b7e-9a3f-6d2c8e1f7b35';
const ETA_MINUTES = 1;
const CANCEL_WAIT_MS = 10_000;
const MAX_KEPT = 1_000;

/** Why a workflow is interrupted: `closing` leaves everything for the next life. */
type Interruption = 'cancelled' | 'closing';

interface Run {
  controller: AbortController;
  done: Promise<void>;
}

const targetOf = (input: WorkflowInput): string => {
  switch (input.operation) {
    case 'add-worker':
      return input.request.existing_deployment_namespace;
    case 'delete-deployment':
      return input.request.namespace;
    case 'delete-worker':
      return input.request.worker_id;
    case 'delete-cluster':
      return input.request.cluster_id;
    case 'deploy':
    case 'register-cluster':
      return '';
  }
};

/** One workflow of the caller may ask for several things, but for each only once. */
const keyOf = (input: WorkflowInput): string =>
  [input.operation, input.request.notification_metadata.workflow_id, targetOf(input)].join(':');

const metadataOf = (record: WorkflowRecord, plan: Plan): WorkflowMetadata => ({
  object: 'workflow_metadata',
  workflow_id: record.id,
  workflow_name: plan.name,
  status: 'PENDING',
  eta: ETA_MINUTES,
  steps: plan.steps.map(({ id, title, description }) => ({ id, title, description })),
});

/** The workflow's messages; `send` resolves when the message can no longer be lost. */
const createVoice = (input: WorkflowInput, type: string, publish: WorkflowsOptions['publish']) => {
  const compose = (
    event: string,
    status: ReportedStepStatus,
    content: { title: string; message: string; result?: unknown },
  ) => messageOf(SENDER, input.request.notification_metadata, { type, event, status, ...content });
  return { compose, say: (...parts: Parameters<typeof compose>) => publish(compose(...parts)) };
};

const newRecord = (key: string, input: WorkflowInput): WorkflowRecord => ({
  id: v5(key, WORKFLOW_NAMESPACE),
  input,
  status: 'running',
  closing_messages: [],
});

const forgetOldest = (workflows: Record<string, WorkflowRecord>) => {
  const ended = Object.keys(workflows).filter((key) => workflows[key]?.status !== 'running');
  for (const key of ended.slice(0, Math.max(0, ended.length - MAX_KEPT))) delete workflows[key];
};

export const createWorkflows = ({ state, planOf, publish, log }: WorkflowsOptions): Workflows => {
  const runs = new Map<string, Run>();

  const end = async (record: WorkflowRecord, status: WorkflowRecord['status'], closing: Notification[]) => {
    for (const message of closing) await publish(message);
    record.status = status;
    record.closing_messages = closing;
    forgetOldest(state.data.workflows);
    await state.save();
    log.info({ operation: record.input.operation, workflow_id: record.id }, `workflow of the local cluster ${status}`);
  };

  const undo = async (plan: Plan) => {
    try {
      await plan.undo();
    } catch (error) {
      log.error({ err: error, workflow: plan.name }, 'the local cluster could not clean up after a workflow');
    }
  };

  const fail = async (record: WorkflowRecord, { plan, step, error }: { plan: Plan; step: Step; error: unknown }) => {
    if (!(error instanceof StepFailed))
      log.error({ err: error, workflow: plan.name, step: step.id }, 'a step of the local cluster broke');
    const { compose } = createVoice(record.input, plan.type, publish);
    const message = failureText(error);
    await undo(plan);
    const failed = compose(step.id, 'FAILED', { title: step.title, message });
    await end(record, 'failed', [failed, compose('results', 'FAILED', { title: plan.title, message, result: null })]);
  };

  const perform = async (record: WorkflowRecord, signal: AbortSignal) => {
    await state.save();
    const plan = planOf(record);
    const { compose, say } = createVoice(record.input, plan.type, publish);
    for (const step of plan.steps) {
      signal.throwIfAborted();
      await say(step.id, 'STARTED', { title: step.title, message: step.description });
      if (step === plan.steps[0]) await say('eta', 'RUNNING', { title: plan.title, message: String(ETA_MINUTES) });
      try {
        const message = await step.run(signal);
        await say(step.id, 'COMPLETED', { title: step.title, message });
      } catch (error) {
        if (!signal.aborted) return fail(record, { plan, step, error });
        throw error;
      }
    }
    const message = `${plan.title}: done`;
    await end(record, 'succeeded', [
      compose('results', 'COMPLETED', { title: plan.title, message, result: await plan.result() }),
    ]);
  };

  const settle = async (record: WorkflowRecord, signal: AbortSignal) => {
    try {
      await perform(record, signal);
    } catch (error) {
      const interruption: Interruption | null = signal.aborted ? signal.reason : null;
      if (interruption === null)
        log.error({ err: error, workflow_id: record.id }, 'a workflow of the local cluster broke');
      if (interruption !== 'cancelled') return;
      await undo(planOf(record));
      await end(record, 'cancelled', []);
    }
  };

  const launch = (record: WorkflowRecord) => {
    const controller = new AbortController();
    const done = settle(record, controller.signal)
      .catch((error: unknown) => log.error({ err: error, workflow_id: record.id }, 'a workflow could not be ended'))
      .finally(() => runs.delete(record.id));
    runs.set(record.id, { controller, done });
  };

  const interrupt = ({ controller, done }: Run, why: Interruption) => {
    controller.abort(why);
    return done;
  };

  const cancelRun = async (run: Run) => {
    const late = Promise.withResolvers<'ending'>();
    const timer = setTimeout(() => late.resolve('ending'), CANCEL_WAIT_MS);
    const outcome = await Promise.race([interrupt(run, 'cancelled').then(() => 'ended' as const), late.promise]);
    clearTimeout(timer);
    return outcome;
  };

  return {
    async start(input) {
      const key = keyOf(input);
      const known = state.data.workflows[key];
      const record = known ?? newRecord(key, input);
      state.data.workflows[key] = record;
      // Also where an earlier attempt broke, because the disk was full for example.
      if (record.status === 'running' && !runs.has(record.id)) launch(record);
      await state.save();
      for (const message of record.closing_messages) await publish({ ...message, id: v7() });
      return metadataOf(record, planOf(record));
    },
    async cancel(id) {
      const record = Object.values(state.data.workflows).find((candidate) => candidate.id === id);
      if (record === undefined) return 'unknown';
      const run = runs.get(id);
      const outcome = run === undefined ? 'ended' : await cancelRun(run);
      // It was faster than the one who wanted it stopped, who now counts on nothing being left of it.
      if (record.status === 'succeeded') {
        await planOf(record).undo();
        await end(record, 'cancelled', []);
      }
      return outcome;
    },
    resume() {
      for (const record of Object.values(state.data.workflows)) if (record.status === 'running') launch(record);
    },
    async close() {
      await Promise.all([...runs.values()].map((run) => interrupt(run, 'closing')));
    },
  };
};
