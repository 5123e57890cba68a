import type { RecordedEvent } from '../../src/events/event.ts';
import { EventId, TenantId, WorkflowId } from '../../src/events/ids.ts';
import { deliveriesOf } from '../../src/processes/engine/delivery.ts';
import {
  hasSeen,
  isEffect,
  metaOf,
  namesOf,
  type Reacted,
  reactTo,
  receiverOf,
} from '../../src/processes/engine/instance-reaction.ts';
import type { Instance } from '../../src/processes/engine/instances.ts';
import type { ClaimedIntent, NewIntent } from '../../src/processes/engine/intent-queue.ts';
import { FEW_ATTEMPTS, type Performer } from '../../src/processes/engine/perform.ts';
import type { NewTimer } from '../../src/processes/engine/timers.ts';
import type { Effect, Intent, Process } from '../../src/processes/process.ts';
import { backoff } from '../../src/resilience/backoff.ts';
import type { Gate } from './gate.ts';

/** A row of `process_intents`. */
export interface StoredIntent extends NewIntent {
  lane: 'deeds' | 'timers';
  attempts: number;
  last_error: string | null;
  due_at: number;
  done: boolean;
  outcome: string | null;
}

interface Store {
  /** Under each name by which the engine finds it. */
  known: Map<string, Instance>;
  instances: Set<Instance>;
  intents: StoredIntent[];
  timers: Map<string, NewTimer>;
  /** How many events of the log were read. */
  position: number;
  failures: { event: RecordedEvent; error: unknown; process: string }[];
  parkedWork: { process: string; intent: Effect; error: string }[];
}

interface EngineOptions {
  processes: readonly Process[];
  /** Of the current life of BudApp. */
  performer: () => Performer;
  now: () => number;
  gate: Gate;
  /** Hears of every reaction. */
  onReaction?: ((heard: HeardReaction) => void) | undefined;
}

export interface HeardReaction {
  process: string;
  /** As stored; null: the reaction creates the instance. */
  before: unknown;
  event: RecordedEvent;
  after: unknown;
  intents: readonly Intent[];
}

const COMMAND_ATTEMPTS = 3000;
const BACKOFF = { first_ms: 250, longest_ms: 30_000 };

const emptyStore = (): Store => ({
  known: new Map(),
  instances: new Set(),
  intents: [],
  timers: new Map(),
  position: 0,
  failures: [],
  parkedWork: [],
});

const timerName = ({ process, instance_id, timer }: Pick<NewTimer, 'process' | 'instance_id' | 'timer'>): string =>
  `${process}:${instance_id}:${timer}`;

const keyOf = ({ process, event_id, n }: Pick<NewIntent, 'process' | 'event_id' | 'n'>): string =>
  `${process}:${event_id}:${n}`;

/**
 * The process engine in memory: its pure parts are the real ones, and its tables are maps. As in Postgres, a batch is one
 * transaction, and so is the end of an attempt.
 */
export const createMemoryEngine = ({ processes, performer, now, gate, onReaction }: EngineOptions) => {
  const store = emptyStore();
  const stored = new Set<string>();

  const addIntent = (intent: StoredIntent): void => {
    if (stored.has(keyOf(intent))) return;
    stored.add(keyOf(intent));
    store.intents.push(intent);
  };

  const abandonCalls = (instance: Instance): void => {
    for (const intent of store.intents) {
      const isCall = intent.intent.kind === 'call' || intent.intent.kind === 'lookup-clusters';
      const isOwn = intent.process === instance.process && intent.instance_id === instance.instance_id;
      if (intent.done || !isCall || !isOwn) continue;
      intent.give_up_at = new Date(now()).toISOString();
      intent.due_at = Math.min(intent.due_at, now());
    }
  };

  const dropTimers = (process: string, instance_id: string): void => {
    for (const [name, timer] of store.timers) {
      if (timer.process === process && timer.instance_id === instance_id) store.timers.delete(name);
    }
  };

  const storeIntents = (instance: Instance, { event, intents, followed, follows }: Reacted): void => {
    const { process, instance_id, tenant_id } = instance;
    if (intents.some(({ kind }) => kind === 'abandon-calls')) abandonCalls(instance);
    const workflow_id = follows ?? followed;
    const common = { process, tenant_id, event_id: event.id, meta: metaOf(event) };
    for (const [n, intent] of intents.entries()) {
      if (!isEffect(intent)) continue;
      // The database keeps JSON, and so does this.
      const kept = JSON.parse(JSON.stringify({ ...common, instance_id, workflow_id, n, intent }));
      const give_up_at = 'give_up_at' in intent ? intent.give_up_at : null;
      const fresh = {
        lane: 'deeds',
        attempts: 0,
        last_error: null,
        due_at: now(),
        done: false,
        outcome: null,
      } as const;
      addIntent({ ...kept, give_up_at, ...fresh });
    }
    if (followed !== null && followed !== follows) dropTimers(process, followed);
    const key = { process, instance_id: workflow_id ?? instance_id };
    for (const [n, intent] of intents.entries()) {
      if (intent.kind === 'timer') {
        const timer = { ...common, ...key, n, timer: intent.timer, due_at: intent.at };
        store.timers.set(timerName(timer), timer);
      }
      if (intent.kind === 'cancel-timer') store.timers.delete(timerName({ ...key, timer: intent.timer }));
      if (intent.kind === 'end') dropTimers(process, key.instance_id);
    }
  };

  const take = (event: RecordedEvent): void => {
    for (const delivery of deliveriesOf(processes, event)) {
      const { manager } = delivery;
      const instance = receiverOf(store.known, delivery);
      if (!instance || hasSeen(instance, event) || instance.parked) continue;
      try {
        const reacted = reactTo(manager, instance, event);
        if (!reacted) continue;
        onReaction?.({
          process: manager.name,
          before: instance.state,
          event,
          after: reacted.state,
          intents: reacted.intents,
        });
        instance.workflow_id = manager.keyed_by ? reacted.follows : null;
        instance.state = JSON.parse(JSON.stringify(reacted.state));
        instance.position = event.position;
        instance.ended = reacted.intents.some(({ kind }) => kind === 'end');
        storeIntents(instance, reacted);
      } catch (error) {
        instance.parked = true;
        store.failures.push({ event, error, process: manager.name });
      }
      store.instances.add(instance);
      for (const name of namesOf(instance)) store.known.set(name, instance);
    }
  };

  /** The intents that wait for no other: in each lane of an instance one waits for the other. */
  const heads = (): StoredIntent[] => {
    const seen = new Set<string>();
    return store.intents.filter((intent) => {
      const lane = `${intent.process}:${intent.instance_id}:${intent.lane}`;
      if (intent.done || seen.has(lane)) return false;
      seen.add(lane);
      return true;
    });
  };

  const claimed = (intent: StoredIntent): ClaimedIntent => {
    const { due_at: _due, done: _done, outcome: _outcome, ...rest } = intent;
    const expired = intent.give_up_at !== null && Date.parse(intent.give_up_at) <= now();
    return { ...rest, id: keyOf(intent), expired, skipped: false };
  };

  const finish = (intent: StoredIntent, outcome: string): void => {
    gate.pass();
    intent.done = true;
    intent.outcome = outcome;
    intent.attempts += 1;
  };

  const postpone = (intent: StoredIntent, error: string): void => {
    gate.pass();
    intent.attempts += 1;
    intent.last_error = error;
    const delayed = now() + backoff(Math.max(1, intent.attempts), BACKOFF, () => 0.5);
    const latest = intent.give_up_at === null ? Number.POSITIVE_INFINITY : Date.parse(intent.give_up_at);
    intent.due_at = Math.min(delayed, Math.max(latest, now()));
  };

  /** Attempts that keep failing for a reason that waiting does not cure are a defect; nobody mends it here. */
  const park = (intent: StoredIntent, error: string): void => {
    finish(intent, 'parked');
    store.parkedWork.push({ process: intent.process, intent: intent.intent, error });
  };

  const giveUp = async (intent: StoredIntent, told: ClaimedIntent): Promise<void> => {
    try {
      await performer().giveUp(told);
    } catch {
      if (intent.attempts < COMMAND_ATTEMPTS) return postpone(intent, told.last_error ?? 'given up');
    }
    return finish(intent, 'given-up');
  };

  return {
    store,
    /** Takes the next events of the log, as one transaction. Answers how many there were. */
    read(log: readonly RecordedEvent[], limit = Number.POSITIVE_INFINITY): number {
      const events = log.slice(store.position, store.position + limit);
      if (events.length === 0) return 0;
      gate.pass();
      for (const event of events) take(event);
      store.position += events.length;
      return events.length;
    },
    due: (): StoredIntent[] => heads().filter(({ due_at }) => due_at <= now()),
    /** Makes one attempt. */
    async perform(intent: StoredIntent): Promise<void> {
      const told = claimed(intent);
      if (told.expired) return giveUp(intent, told);
      const attempt = await performer().attempt(told);
      if ('done' in attempt) return finish(intent, attempt.done);
      const attempts = told.attempts + 1;
      const isUsedUp =
        attempt.retryable === 'a-few-times'
          ? attempts >= FEW_ATTEMPTS
          : intent.give_up_at === null && attempts >= COMMAND_ATTEMPTS;
      if (isUsedUp) return park(intent, attempt.again);
      return postpone(intent, attempt.again);
    },
    /** Turns the timers that are due into intents. */
    fireTimers(): number {
      const due = [...store.timers].filter(([, { due_at }]) => Date.parse(due_at) <= now());
      if (due.length === 0) return 0;
      gate.pass();
      for (const [name, { process, instance_id, tenant_id, event_id, n, meta, timer }] of due) {
        store.timers.delete(name);
        addIntent({
          process,
          instance_id,
          tenant_id: TenantId.parse(tenant_id),
          workflow_id: WorkflowId.parse(instance_id),
          event_id: EventId.parse(event_id),
          n,
          meta,
          intent: { kind: 'command', command: 'FireWorkflowTimer', data: { workflow_id: instance_id, timer } },
          give_up_at: null,
          lane: 'timers',
          attempts: 0,
          last_error: null,
          due_at: now(),
          done: false,
          outcome: null,
        });
      }
      return due.length;
    },
    /** When there is something to do next, in milliseconds; null: nothing is waiting. */
    nextDue(): number | null {
      const times = [
        ...heads().map(({ due_at }) => due_at),
        ...[...store.timers.values()].map(({ due_at }) => Date.parse(due_at)),
      ];
      return times.length === 0 ? null : Math.min(...times);
    },
  };
};
