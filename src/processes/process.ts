import { z } from 'zod';
import type { AnyCommand } from '../commands/command.ts';
import type { CallInput, CallName } from '../contracts/calls.ts';
import type { Recorded } from '../events/catalog.ts';
import { ClusterId, type WorkflowId } from '../events/ids.ts';

/** Asks for a command; where the domain refuses it, `WorkflowCommandRefused` comes back. */
export interface CommandIntent {
  kind: 'command';
  command: string;
  data: unknown;
}

/** Asks for a call of another service; `WorkflowCallAnswered` or, when all attempts are used up, `WorkflowCallFailed` comes back. */
export interface CallIntent {
  kind: 'call';
  call: CallName;
  /** Sealed text in it is opened only at the moment of the call. */
  input: unknown;
  /** After this time, RFC 3339, no further attempt is made. */
  give_up_at: string;
}

/** Asks which of the tenant's clusters these are; answered like a call named `lookup-clusters`, with `ClustersFound`. */
export interface LookupClustersIntent {
  kind: 'lookup-clusters';
  bud_cluster_ids: readonly string[];
  give_up_at: string;
}

/** Removes a file from object storage. Nothing comes back: it is tried until `give_up_at`, then the log says what is left. */
export interface RemoveObjectIntent {
  kind: 'remove-object';
  key: string;
  give_up_at: string;
}

/** Sets a timer, or sets it anew: `WorkflowTimerFired` comes back at `at`. */
export interface TimerIntent {
  kind: 'timer';
  timer: string;
  at: string;
}

export interface CancelTimerIntent {
  kind: 'cancel-timer';
  timer: string;
}

/** Calls that were asked for earlier and are not done are given up: nothing waits behind their retries any more. */
export interface AbandonCallsIntent {
  kind: 'abandon-calls';
}

/** The process is over: its timers are dropped, later events of its workflow do not reach it any more. */
export interface EndIntent {
  kind: 'end';
}

/** What is performed outside the transaction, at least once, in the order in which one instance asked for it. */
export type Effect = CommandIntent | CallIntent | LookupClustersIntent | RemoveObjectIntent;
export type Intent = Effect | TimerIntent | CancelTimerIntent | AbandonCallsIntent | EndIntent;

export interface Reaction<State> {
  state: State;
  intents: readonly Intent[];
}

/**
 * A process manager. One instance a workflow: it is created by the event that `react` answers while `state` is null,
 * and sees every event whose data carries its `workflow_id` (or what `workflowOf` or `keyOf` says), in log order, each
 * exactly once.
 */
export interface Process<State = unknown> {
  name: string;
  /** State that was stored by another version is parsed by this schema; keep it backward compatible. */
  state: z.ZodType<State>;
  /** The workflow that an event belongs to for this process, where that is not its `workflow_id`; null: to none. */
  workflowOf?(event: Recorded): WorkflowId | null;
  /** Where the process follows something that is no workflow: the id of the instance that an event belongs to. */
  keyOf?(event: Recorded): string | null;
  /** Pure. null: the event means nothing to this process, and nothing is stored. */
  react(state: State | null, event: Recorded): Reaction<State> | null;
}

/** `ask(reserveCapacity, { ... })`: typed by the command, stored by its name. */
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
  'workflow_id' in event.data ? event.data.workflow_id : null;

/** A time `seconds` after `at`. */
export const after = (at: string, seconds: number): string => new Date(Date.parse(at) + seconds * 1000).toISOString();

/** The answer to `lookup-clusters`: those of the tenant's clusters that were found. */
export const ClustersFound = z.array(z.object({ cluster_id: ClusterId, bud_cluster_id: z.string(), name: z.string() }));
export type ClustersFound = z.output<typeof ClustersFound>;
