import { z } from 'zod';
import type { CallName } from '../contracts/calls.ts';
import type { Recorded } from '../events/catalog.ts';
import type { Reason } from '../events/values.ts';
import { backoff } from '../resilience/backoff.ts';
import { after, type CallIntent, cancelTimer, type Intent, timer } from './process.ts';

/** A removal under way. It is part of stored states: keep it backward compatible. */
export const Removal = z.object({
  /**
   * `answer`: of the call that made it, which names what to cancel. `sign`: that answer is lost, so whether the service made
   * anything is not known.
   */
  awaiting: z.enum(['answer', 'sign', 'cancel', 'delete']),
  /** The service's name of what it made; null: not known. */
  thing: z.string().nullable(),
  /** The service's workflow that makes it; null: not known. */
  service_workflow_id: z.string().nullable().default(null),
  /** 1 for the first attempt. */
  attempt: z.int().default(1),
  /** Whether the service has answered since, so that its silence means that there is nothing. */
  heard: z.boolean().default(false),
});
export type Removal = z.output<typeof Removal>;

/** How something is removed from the cluster service. */
export interface RemovalKind {
  /** The call that makes it; null: only its name is needed to remove it. */
  made_by: CallName | null;
  calls: Readonly<Record<'remove' | 'cancel' | 'probe', CallName>>;
  /** `payload.type` of the messages about its making. */
  message_type: string;
  remove(thing: string, give_up_at: string): CallIntent;
  cancel(service_workflow_id: string, give_up_at: string): CallIntent;
  /** Any call that a service which is alive answers or refuses. */
  probe(give_up_at: string): CallIntent;
  /** The name of what was made, where an event tells it. */
  thingIn(event: Recorded): string | null;
  isRemoved(event: Recorded): boolean;
}

/** `again`: the time for an attempt is over, and the next one lasts until then. */
export type RemovalStep = 'gone' | { removal: Removal; intents: Intent[]; again: string | null } | null;

/** How long the deletion of what a service has made in vain is attempted, once nobody waits for it any more. */
export const LATE_SECONDS = 30 * 24 * 3600;

/** The timer that ends an attempt. */
export const UNDO = 'undo';
/** How long attempts last: the calls of one have a back-off of their own. */
const ATTEMPTS = { first_ms: 60_000, longest_ms: 600_000 };
/** A service that answers, and has told nothing for so long, has made nothing. */
const QUIET_SECONDS = 30;
/** Where it has told of it before: a service reports progress, and a failure, sooner than this. */
const UNFINISHED_SECONDS = 900;

/** Seconds for attempt 1, 2, ... without jitter, since a process must decide the same at every replay. */
export const attemptSeconds = (attempt: number): number => backoff(attempt, ATTEMPTS, () => 1) / 1000;

/** Why the state lasts, as the user reads it. */
export const cleanupPending = ({ message }: Reason, left: string): Reason => ({
  code: 'cleanup-pending',
  message: `${message} ${left} It is tried again until the cluster confirms; name and capacity stay reserved.`,
});

const callOf = (kind: RemovalKind, { awaiting, thing, service_workflow_id }: Removal, until: string): Intent[] => {
  if (awaiting === 'answer') return [];
  if (awaiting === 'delete' && thing !== null) return [kind.remove(thing, until)];
  if (awaiting === 'cancel' && service_workflow_id !== null) return [kind.cancel(service_workflow_id, until)];
  return [kind.probe(until)];
};

/** Asks for what is awaited, within the attempt that lasts until `until`. */
const asking = (kind: RemovalKind, removal: Removal, { at, until }: { at: string; until?: string }) => {
  const end = until ?? after(at, attemptSeconds(removal.attempt));
  return { removal, intents: [...callOf(kind, removal, end), timer(UNDO, end)] };
};

/** Begins a removal, which lasts until `until` at first. `abandon-calls` must come before its intents. */
export const beginRemoval = (
  kind: RemovalKind,
  known: { thing: string | null; service_workflow_id: string | null; answered?: 'lost' | undefined },
  time: { at: string; until?: string },
): { removal: Removal; intents: Intent[] } => {
  const { thing, service_workflow_id } = known;
  const awaiting = () => {
    if (thing !== null) return 'delete' as const;
    if (service_workflow_id !== null) return 'cancel' as const;
    return known.answered === 'lost' ? ('sign' as const) : ('answer' as const);
  };
  return asking(kind, { awaiting: awaiting(), thing, service_workflow_id, attempt: 1, heard: false }, time);
};

/** A service that refuses a call with 404 does not have what the call names. */
const isGone = ({ data }: Extract<Recorded, { type: 'WorkflowCallFailed' }>): boolean => data.status === 404;

/** Whether the service has surely not done what the call asked for. */
export const isRefused = ({ data }: Extract<Recorded, { type: 'WorkflowCallFailed' }>): boolean =>
  data.reason.code === 'secret-erased' || (data.status !== undefined && data.status >= 400 && data.status < 500);

const onAnswer = (
  kind: RemovalKind,
  removal: Removal,
  { data, at }: Extract<Recorded, { type: 'WorkflowCallAnswered' }>,
): RemovalStep => {
  const { awaiting } = removal;
  const { call, service_workflow_id } = data;
  if (call === kind.made_by && service_workflow_id !== null && (awaiting === 'answer' || awaiting === 'sign')) {
    return { ...asking(kind, { ...removal, awaiting: 'cancel', service_workflow_id }, { at }), again: null };
  }
  if (awaiting === 'cancel' && call === kind.calls.cancel) return 'gone';
  if (awaiting === 'sign' && call === kind.calls.probe) return heard(removal, at, QUIET_SECONDS);
  return null;
};

const heard = (removal: Removal, at: string, seconds: number): RemovalStep => ({
  removal: { ...removal, heard: true },
  intents: [timer(UNDO, after(at, seconds))],
  again: null,
});

const onFailure = (
  kind: RemovalKind,
  removal: Removal,
  event: Extract<Recorded, { type: 'WorkflowCallFailed' }>,
): RemovalStep => {
  const { awaiting } = removal;
  const { call, reason } = event.data;
  if (awaiting === 'answer' && call === kind.made_by) {
    if (isRefused(event)) return 'gone';
    return { ...asking(kind, { ...removal, awaiting: 'sign' }, event), again: null };
  }
  if (awaiting === 'sign' && call === kind.calls.probe && reason.code !== 'attempts-used-up') {
    return heard(removal, event.at, QUIET_SECONDS);
  }
  const isAwaited =
    (awaiting === 'cancel' && call === kind.calls.cancel) || (awaiting === 'delete' && call === kind.calls.remove);
  // Any other failure waits for the end of the attempt.
  return isAwaited && isGone(event) ? 'gone' : null;
};

const isDue = (removal: Removal): boolean => removal.awaiting === 'sign' && removal.heard;

const nextAttempt = (kind: RemovalKind, removal: Removal, at: string): RemovalStep => {
  if (isDue(removal)) return 'gone';
  const attempt = removal.attempt + 1;
  // The answer does not come any more.
  const awaiting = removal.awaiting === 'answer' ? 'sign' : removal.awaiting;
  const until = after(at, attemptSeconds(attempt));
  return { ...asking(kind, { ...removal, awaiting, attempt }, { at, until }), again: until };
};

/**
 * Goes on until the cluster service has confirmed that nothing is left:
 *
 *     answer --(answered)--> cancel --(cancelled, or 404)--> gone
 *       |--(refused)--> gone
 *       '--(lost)--> sign --(the service answers, and tells nothing of it)--> gone
 *     any --(its name becomes known)--> delete --(deleted, or 404)--> gone
 *
 * An attempt that ends without that is followed by another one.
 */
export const followRemoval = (kind: RemovalKind, removal: Removal, event: Recorded): RemovalStep => {
  const thing = kind.thingIn(event);
  if (thing !== null && thing !== removal.thing) {
    return { ...asking(kind, { ...removal, awaiting: 'delete', thing }, event), again: null };
  }
  if (removal.awaiting === 'delete' && kind.isRemoved(event)) return 'gone';
  switch (event.type) {
    case 'WorkflowTimerFired':
      return event.data.timer === UNDO ? nextAttempt(kind, removal, event.at) : null;
    case 'WorkflowCallAnswered':
      return onAnswer(kind, removal, event);
    case 'WorkflowCallFailed':
      return onFailure(kind, removal, event);
    case 'WorkflowMessageIgnored': {
      const { message_type, status } = event.data;
      if (removal.awaiting !== 'sign' || message_type !== kind.message_type) return null;
      // The service takes back what failed, and says so at the end.
      return status === 'FAILED' ? 'gone' : heard(removal, event.at, UNFINISHED_SECONDS);
    }
    default:
      return null;
  }
};

/** Before the intents that follow a removal. */
export const endRemoval = (): Intent[] => [cancelTimer(UNDO)];

/** Whether the message says that this deletion is done, also where the workflow has recorded it as ignored. */
export const saysDeleted = (event: Recorded, message_type: string, step: string): boolean => {
  if (event.type === 'WorkflowResultReceived') return event.data.result_type === message_type;
  if (event.type === 'WorkflowStepSucceeded') return event.data.step === step;
  if (event.type !== 'WorkflowMessageIgnored' || event.data.message_type !== message_type) return false;
  const { message_event, status } = event.data;
  return message_event === step && status === 'COMPLETED';
};
