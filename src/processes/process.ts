import { z } from 'zod';
import type { AnyCommand } from '../commands/command.ts';
import type { CallInput, CallName } from '../contracts/calls.ts';
import type { Recorded } from '../events/catalog.ts';
import { ClusterId, type WorkflowId } from '../events/ids.ts';

/** Requests a command. A refusal of the domain is recorded as `WorkflowCommandRefused`. */
export interface CommandIntent {
  kind: 'command';
  command: string;
  data: unknown;
}

/** Requests a call of another service. `WorkflowCallAnswered` or, after the last attempt, `WorkflowCallFailed` follows. */
export interface CallIntent {
  kind: 'call';
  call: CallName;
  /** Sealed text in it is opened only for the call itself. */
  input: unknown;
  /** The time, RFC 3339, after which no further attempt is made. */
  give_up_at: string;
}

/** Requests the tenant's clusters with these ids. It is answered like a call named `lookup-clusters`, with `ClustersFound`. */
export interface LookupClustersIntent {
  kind: 'lookup-clusters';
  bud_cluster_ids: readonly string[];
  give_up_at: string;
}

/** Requests the removal of a file from object storage. Its success is not recorded. */
export interface RemoveObjectIntent {
  kind: 'remove-object';
  key: string;
  give_up_at: string;
}

/** Sets a timer, or replaces it. `WorkflowTimerFired` follows at `at`. */
export interface TimerIntent {
  kind: 'timer';
  timer: string;
  at: string;
}

export interface CancelTimerIntent {
  kind: 'cancel-timer';
  timer: string;
}

/** Gives up all earlier calls of the instance that are not done, so that later intents do not wait behind their retries. */
export interface AbandonCallsIntent {
  kind: 'abandon-calls';
}

/** Ends the instance: its timers are dropped, and later events of its workflow are ignored. */
export interface EndIntent {
  kind: 'end';
}

/** An intent that is performed outside the transaction, at least once, in the order of the instance's requests. */
export type Effect = CommandIntent | CallIntent | LookupClustersIntent | RemoveObjectIntent;
export type Intent = Effect | TimerIntent | CancelTimerIntent | AbandonCallsIntent | EndIntent;

export interface Reaction<State> {
  state: State;
  intents: readonly Intent[];
}

/** One instance exists for each value of `field` in the data of these facts, which all have the field. */
export interface InstancesKey {
  field: string;
  types: ReadonlySet<string>;
}

/**
 * A process manager has one instance for each workflow, or for each key of `keyed_by`, for example for each endpoint. The
 * first event to which `react` answers while `state` is null creates the instance. The instance sees every event of its
 * workflow and the facts of `keyed_by` with its key, in log order, each exactly once.
 */
export interface Process<State = unknown> {
  name: string;
  /** Parses the state, which another version may have stored: keep it backward compatible. */
  state: z.ZodType<State>;
  keyed_by?: InstancesKey;
  /**
   * The workflow that a keyed instance follows at present; null: none. The instance sees the events of that workflow. Its
   * timers fire in that workflow, and end when the instance follows another one. The outcomes of its calls and commands
   * are recorded there, too.
   */
  follows?(state: State): WorkflowId | null;
  /** Overrides the workflow that an event belongs to, which is otherwise its `workflow_id`; null: to none. */
  workflowOf?(event: Recorded): WorkflowId | null;
  /** Pure. null: the instance ignores the event, and nothing is stored. */
  react(state: State | null, event: Recorded): Reaction<State> | null;
}

/** `ask(reserveCapacity, { ... })`: the command gives the type of the data, and its name is stored. */
export const ask = <C extends AnyCommand>(command: C, data: z.input<C['data']>): CommandIntent => ({
  kind: 'command',
  command: command.type,
  data,
});

export const call = <Name extends CallName>(
  name: Name,
  input: CallInput<Name>,
  { give_up_at }: { give_up_at: string },
): CallIntent => ({ kind: 'call', call: name, input, give_up_at });

export const removeObject = (key: string, { give_up_at }: { give_up_at: string }): RemoveObjectIntent => ({
  kind: 'remove-object',
  key,
  give_up_at,
});
export const timer = (name: string, at: string): TimerIntent => ({ kind: 'timer', timer: name, at });
export const cancelTimer = (name: string): CancelTimerIntent => ({ kind: 'cancel-timer', timer: name });
export const abandonCalls = (): AbandonCallsIntent => ({ kind: 'abandon-calls' });
export const end = (): EndIntent => ({ kind: 'end' });

/** The workflow that an event belongs to; null: to none. */
export const workflowOf = (event: Recorded): WorkflowId | null =>
  ('workflow_id' in event.data ? event.data.workflow_id : null) ?? null;

/** As `workflowOf`, and a deletion that ends a change belongs to that change. For the process of the change. */
export const changeOf = (event: Recorded): WorkflowId | null => {
  switch (event.type) {
    case 'EndpointDeletionRequested':
    case 'ClusterDeletionRequested':
    case 'ModelDeleted':
      return event.data.ends ?? null;
    default:
      return workflowOf(event);
  }
};

/** A time `seconds` after `at`. */
export const after = (at: string, seconds: number): string => new Date(Date.parse(at) + seconds * 1000).toISOString();

/** The answer to `lookup-clusters`: the clusters of the tenant that were found. */
export const ClustersFound = z.array(z.object({ cluster_id: ClusterId, bud_cluster_id: z.string(), name: z.string() }));
export type ClustersFound = z.output<typeof ClustersFound>;
