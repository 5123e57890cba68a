import pTimeout from 'p-timeout';
import type { Logger } from 'pino';
import { v7 } from 'uuid';
import type { WorkflowMetadata } from '../../contracts/asynchronous.ts';
import type { Notification } from '../../contracts/notification.ts';
import type { Closable } from '../../ports/closable.ts';
import type { Performing, Plan, StepDescription } from './plan.ts';
import { StepFailed } from './step-failed.ts';
import { createMessages, type Wording } from './workflow-messages.ts';
import { type EndedRecord, resultsOf, type WorkflowRecord, type WorkflowRecords } from './workflow-records.ts';

export interface Workflows<Input> extends Closable {
  /** A repeated request starts nothing, unless `done_again` says so: it gets the same answer and the last messages again. */
  start(input: Input): Promise<WorkflowMetadata>;
  /** `ended`: nothing of it is left. `ending`: not yet. */
  cancel(id: string): Promise<'ended' | 'ending' | 'unknown'>;
  /** The result of a workflow; undefined where there is none, or it is still running. */
  findResult(id: string): Promise<unknown>;
  /** Resumes the workflows that a crash or a stop interrupted. */
  resume(): void;
}

export interface WorkflowsOptions<Input> {
  records: WorkflowRecords<Input>;
  /** As above, for a repeated request. */
  idOf: (input: Input) => string;
  planOf: (id: string, input: Input) => Plan;
  wording: Wording;
  /** Resolves when the message is stored and can no longer be lost. */
  publish: (message: Notification) => Promise<void>;
  one_at_a_time: boolean;
  /** Whether a request whose work has failed is done again when it is repeated: a removal, which the caller needs. */
  done_again?: (input: Input) => boolean;
  log: Logger;
}

const CANCEL_WAIT_MS = 10_000;

/** Why a workflow is interrupted: `closing` leaves everything for the next run. */
type Interruption = 'cancelled' | 'closing';

interface Run {
  controller: AbortController;
  /** The record is stored: from now on the workflow can be resumed after a crash. */
  kept: Promise<void>;
  done: Promise<void>;
}

/** An error that the work of a step has thrown, as opposed to any other error. */
class StepBroke extends Error {
  readonly step: StepDescription;

  constructor(step: StepDescription, cause: unknown) {
    super(`the step ${step.id} broke`, { cause });
    this.step = step;
  }
}

const attempt = async <Value>(step: StepDescription, work: () => Promise<Value>): Promise<Value> => {
  try {
    return await work();
  } catch (cause) {
    throw new StepBroke(step, cause);
  }
};

const metadataOf = (id: string, plan: Plan): WorkflowMetadata => ({
  object: 'workflow_metadata',
  workflow_id: id,
  workflow_name: plan.name,
  status: 'PENDING',
  eta: plan.eta_minutes,
  steps: plan.steps.map(({ id: step, title, description }) => ({ id: step, title, description })),
});

const getStep = ({ name, steps }: Plan, id: string): StepDescription => {
  const step = steps.find((candidate) => candidate.id === id);
  if (step === undefined) throw new Error(`${name} has announced no step ${id}`);
  return step;
};

const createTurns = (one_at_a_time: boolean) => {
  let last: Promise<void> = Promise.resolve();
  return (work: () => Promise<void>): Promise<void> => {
    if (!one_at_a_time) return work();
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
};

/**
 *     running -> ended -> told
 *
 * A repeated request does not run twice, and what was in flight when the service stopped is done again from the start.
 * A workflow that could not be carried on (its messages could not be kept, say) stays running, for the next request or
 * the next life.
 */
export const createWorkflows = <Input>(options: WorkflowsOptions<Input>): Workflows<Input> => {
  const { records, idOf, planOf, wording, publish, log } = options;
  const runs = new Map<string, Run>();
  const inTurn = createTurns(options.one_at_a_time);

  const tell = async (record: EndedRecord<Input>) => {
    for (const message of record.closing) await publish({ ...message, id: v7() });
    if (!record.told) await records.write({ ...record, told: true });
  };

  const end = async (
    { id, input }: WorkflowRecord<Input>,
    { outcome, closing }: Pick<EndedRecord<Input>, 'outcome' | 'closing'>,
  ) => {
    const ended = { id, input, status: 'ended', outcome, closing, told: closing.length === 0 } as const;
    // Stored before the messages are sent, since their receiver may ask for the result at once.
    await records.write(ended);
    await tell(ended);
    log.info({ workflow: planOf(id, input).name, workflow_id: id }, `workflow ${outcome}`);
  };

  const undo = async (plan: Plan) => {
    try {
      await plan.undo();
    } catch (error) {
      log.error({ err: error, workflow: plan.name }, 'a local service could not clean up after a workflow');
    }
  };

  const perform = async (record: WorkflowRecord<Input>, signal: AbortSignal) => {
    const plan = planOf(record.id, record.input);
    const messages = createMessages(plan, wording);
    const step: Performing['step'] = async (id, work) => {
      const description = getStep(plan, id);
      signal.throwIfAborted();
      for (const message of messages.started(description)) await publish(message);
      const outcome = await attempt(description, work);
      await publish(messages.completed(description, outcome.message));
      return outcome.value;
    };
    try {
      for (const message of messages.opening()) await publish(message);
      const result = await plan.perform({ signal, step });
      await end(record, { outcome: 'succeeded', closing: messages.succeeded(result) });
    } catch (error) {
      if (signal.aborted || !(error instanceof StepBroke)) throw error;
      const { step: broken, cause } = error;
      if (!(cause instanceof StepFailed))
        log.error({ err: cause, workflow: plan.name, step: broken.id, workflow_id: record.id }, 'a step broke');
      await undo(plan);
      await end(record, { outcome: 'failed', closing: messages.failed(broken, cause) });
    }
  };

  const settle = async (record: WorkflowRecord<Input>, signal: AbortSignal) => {
    try {
      signal.throwIfAborted();
      await (record.status === 'running' ? perform(record, signal) : tell(record));
    } catch (error) {
      if (!signal.aborted) throw error;
      const why: Interruption = signal.reason;
      if (why === 'closing') return;
      await undo(planOf(record.id, record.input));
      await end(record, { outcome: 'cancelled', closing: [] });
    }
  };

  const launch = (record: WorkflowRecord<Input>, kept: Promise<void>): Run => {
    const controller = new AbortController();
    const work = () => inTurn(() => settle(record, controller.signal));
    // If the record could not be stored, the caller gets the error.
    const done = kept
      .then(
        () => work(),
        () => undefined,
      )
      .catch((error: unknown) => log.error({ err: error, workflow_id: record.id }, 'a workflow could not be ended'))
      .finally(() => runs.delete(record.id));
    const run = { controller, kept, done };
    runs.set(record.id, run);
    return run;
  };

  const interrupt = ({ controller, done }: Run, why: Interruption) => {
    controller.abort(why);
    return done;
  };

  const cancelRun = (run: Run): Promise<'ended' | 'ending'> => {
    const ended = interrupt(run, 'cancelled').then(() => 'ended' as const);
    return pTimeout(ended, { milliseconds: CANCEL_WAIT_MS, fallback: () => 'ending' as const });
  };

  const launchNew = (record: WorkflowRecord<Input>): Run => launch(record, records.write(record));

  return {
    async start(input) {
      const id = idOf(input);
      const before = runs.get(id);
      const found = await records.find(id);
      const again = found?.status === 'ended' && found.outcome === 'failed' && options.done_again?.(input) === true;
      const known = again ? null : found;
      if (known?.status === 'ended') await tell(known);
      // Checked again after the wait: of two concurrent requests, the second finds the workflow of the first.
      else await (before ?? runs.get(id) ?? launchNew(known ?? { id, input, status: 'running' })).kept;
      return metadataOf(id, planOf(id, input));
    },
    async cancel(id) {
      const run = runs.get(id);
      const outcome = run === undefined ? 'ended' : await cancelRun(run);
      const record = await records.find(id);
      if (record === null) return 'unknown';
      // The workflow has failed already, or has ended before the cancellation, whose caller relies on nothing being
      // left.
      if (record.status === 'running' ? outcome === 'ended' : record.outcome === 'succeeded') {
        await planOf(id, record.input).undo();
        await end(record, { outcome: 'cancelled', closing: [] });
      }
      return outcome;
    },
    async findResult(id) {
      const record = await records.find(id);
      return record?.status === 'ended' ? resultsOf(record.closing)?.result : undefined;
    },
    resume() {
      for (const record of records.unfinished()) launch(record, Promise.resolve());
    },
    async close() {
      await Promise.all([...runs.values()].map((run) => interrupt(run, 'closing')));
    },
  };
};
