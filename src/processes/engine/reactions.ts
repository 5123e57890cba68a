import type { ClientBase } from 'pg';
import { type Recorded, toFact } from '../../events/catalog.ts';
import type { RecordedEvent } from '../../events/event.ts';
import { FactFromNewerVersion } from '../../events/fact-from-newer-version.ts';
import { WorkflowId } from '../../events/ids.ts';
import { failureText } from '../../failures/failure-text.ts';
import { isDataError } from '../../postgres/transaction.ts';
import type { Effect, Intent, Process } from '../process.ts';
import { type Delivery, deliveriesOf } from './delivery.ts';
import type { InstanceKey } from './instance-key.ts';
import {
  addParkedEvent,
  type Instance,
  loadInstances,
  loadParkedEvents,
  type ParkCause,
  parkInstance,
  removeParkedEvents,
  saveInstances,
  unparkInstance,
} from './instances.ts';
import { abandonCalls, addIntents, type IntentMeta } from './intent-queue.ts';
import { dropTimer, dropTimers, setTimer } from './timers.ts';

/** An event on which a process manager threw. */
export interface HandlerFailure extends InstanceKey {
  event: RecordedEvent;
  error: unknown;
}

/** The outcome of a batch of events. */
export interface Taken {
  /** How many intents were stored. */
  intents: number;
  handlerFailures: readonly HandlerFailure[];
}

const instanceKeyOf = ({ process: name, instance_id }: InstanceKey): InstanceKey => ({ process: name, instance_id });

const nameOf = (key: InstanceKey): string => `${key.process}:${key.instance_id}`;

const causeOf = (error: unknown): ParkCause => ({
  error: failureText(error),
  from_newer_version: error instanceof FactFromNewerVersion,
});

const isEffect = (intent: Intent): intent is Effect =>
  intent.kind === 'command' ||
  intent.kind === 'call' ||
  intent.kind === 'lookup-clusters' ||
  intent.kind === 'remove-object';

const metaOf = ({ meta }: RecordedEvent): IntentMeta => ({
  correlation_id: meta.correlation_id,
  ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
});

/** What an instance did with one event. */
interface Reacted {
  event: Recorded;
  state: unknown;
  intents: readonly Intent[];
  /** The workflow that the instance followed before and follows now; null: none. */
  followed: WorkflowId | null;
  follows: WorkflowId | null;
}

/** Stores the intents of one reaction. Answers the number of effects among them. */
const storeIntents = async (
  client: ClientBase,
  instance: Instance,
  { event, intents, followed, follows }: Reacted,
): Promise<number> => {
  const { tenant_id } = instance;
  const common = { ...instanceKeyOf(instance), tenant_id, event_id: event.id, meta: metaOf(event) };
  // First, so that it does not abandon the calls of this reaction itself.
  if (intents.some(({ kind }) => kind === 'abandon-calls')) await abandonCalls(client, common);
  const workflow_id = follows ?? followed;
  const effects = intents.flatMap((intent, n) => {
    if (!isEffect(intent)) return [];
    return [{ ...common, workflow_id, n, intent, give_up_at: 'give_up_at' in intent ? intent.give_up_at : null }];
  });
  await addIntents(client, effects);
  // A timer is kept under the workflow in which it fires.
  if (followed !== null && followed !== follows) await dropTimers(client, { ...common, instance_id: followed });
  const timers = { ...common, instance_id: workflow_id ?? instance.instance_id };
  for (const [n, intent] of intents.entries()) {
    if (intent.kind === 'timer') await setTimer(client, { ...timers, n, timer: intent.timer, due_at: intent.at });
    if (intent.kind === 'cancel-timer') await dropTimer(client, timers, intent.timer);
    if (intent.kind === 'end') await dropTimers(client, timers);
  }
  return effects.length;
};

/** The workflow that records the outcome of an instance's intents: the one that it is of, or that it follows at present. */
const followedBy = (manager: Process, { instance_id }: InstanceKey, state: unknown): WorkflowId | null => {
  if (!manager.keyed_by) return WorkflowId.parse(instance_id);
  return state === null ? null : (manager.follows?.(state) ?? null);
};

/** The reaction of one instance to one event; null: the instance ignores the event. */
const reactTo = (manager: Process, instance: Instance, raw: RecordedEvent): Reacted | null => {
  const event = toFact(raw);
  const before = instance.state === null ? null : manager.state.parse(instance.state);
  const reaction = manager.react(before, event);
  if (reaction === null) return null;
  const followed = followedBy(manager, instance, before);
  return { event, ...reaction, followed, follows: followedBy(manager, instance, reaction.state) };
};

const newInstance = (manager: Process, instance_id: string, event: RecordedEvent): Instance => ({
  process: manager.name,
  instance_id,
  workflow_id: null,
  tenant_id: event.meta.tenant_id,
  state: null,
  position: null,
  ended: false,
  parked: false,
});

/**
 * Applies one event to one instance, whose fields it changes, and returns the number of effects. An error of `react` is
 * returned as `HandlerFailure`. An error of the database is thrown, which rolls the whole transaction back.
 */
const takeInto = async (
  client: ClientBase,
  { manager, instance }: { manager: Process; instance: Instance },
  raw: RecordedEvent,
): Promise<number | HandlerFailure> => {
  let reacted: ReturnType<typeof reactTo>;
  try {
    reacted = reactTo(manager, instance, raw);
  } catch (error) {
    return { ...instanceKeyOf(instance), event: raw, error };
  }
  if (!reacted) return 0;
  instance.workflow_id = manager.keyed_by ? reacted.follows : null;
  instance.state = reacted.state;
  instance.position = raw.position;
  instance.ended = reacted.intents.some(({ kind }) => kind === 'end');
  return storeIntents(client, instance, reacted);
};

/**
 * As `takeInto`, and stores the instance. Data that the database refuses fails this instance only: all that the event did
 * is rolled back, and the error is returned as `HandlerFailure`.
 */
const takeIntoGuarded = async (
  client: ClientBase,
  { manager, instance }: { manager: Process; instance: Instance },
  raw: RecordedEvent,
): Promise<number | HandlerFailure> => {
  const before = { ...instance };
  await client.query('savepoint event');
  try {
    const taken = await takeInto(client, { manager, instance }, raw);
    if (typeof taken === 'number') await saveInstances(client, [instance]);
    await client.query('release savepoint event');
    return taken;
  } catch (error) {
    if (!isDataError(error)) throw error;
    await client.query('rollback to savepoint event');
    Object.assign(instance, before);
    return { ...instanceKeyOf(instance), event: raw, error };
  }
};

const hasSeen = (instance: Instance, event: RecordedEvent): boolean =>
  instance.ended || (instance.position !== null && event.position <= instance.position);

/** An instance is found by its own id, and by that of the workflow that it follows. */
const namesOf = ({ process: name, instance_id, workflow_id }: Instance): string[] =>
  [instance_id, workflow_id].flatMap((id) => (id === null ? [] : [nameOf({ process: name, instance_id: id })]));

/** The instance that an event is delivered to, which may be a new one; null: there is none. */
const receiverOf = (
  known: ReadonlyMap<string, Instance>,
  { manager, event, workflow_id, instance_id, readable }: Delivery,
): Instance | null => {
  const find = (id: string | null) =>
    id === null ? null : known.get(nameOf({ process: manager.name, instance_id: id }));
  const found = find(workflow_id) ?? find(instance_id);
  if (found) return found;
  return readable && instance_id !== null ? newInstance(manager, instance_id, event) : null;
};

/**
 * Applies events, in log order, to all instances that follow them, and stores states, intents and timers inside the
 * caller's transaction. An instance ignores the events that it has seen, so a replay stores no intent twice. An event on
 * which a process manager throws parks that one instance; the others go on. With `guarded`, so does an event whose data
 * the database refuses, at the price of a savepoint for each event; without it, the error is thrown.
 */
export const takeEvents = async (
  client: ClientBase,
  managers: readonly Process[],
  events: readonly RecordedEvent[],
  { guarded = false }: { guarded?: boolean } = {},
): Promise<Taken> => {
  const take = guarded ? takeIntoGuarded : takeInto;
  const deliveries = events.flatMap((event) => deliveriesOf(managers, event));
  const ids = new Set(deliveries.flatMap(({ workflow_id, instance_id }) => [workflow_id, instance_id]));
  const loaded = await loadInstances(
    client,
    [...ids].filter((id) => id !== null),
  );
  const known = new Map(loaded.flatMap((instance) => namesOf(instance).map((name) => [name, instance])));

  const changed = new Set<Instance>();
  const handlerFailures: HandlerFailure[] = [];
  let intents = 0;
  for (const delivery of deliveries) {
    const { manager, event } = delivery;
    const instance = receiverOf(known, delivery);
    if (!instance || hasSeen(instance, event)) continue;
    if (instance.parked) {
      await addParkedEvent(client, instance, event);
      continue;
    }
    const taken = await take(client, { manager, instance }, event);
    if (typeof taken === 'number') {
      if (instance.position !== event.position) continue;
      intents += taken;
    } else {
      instance.parked = true;
      handlerFailures.push(taken);
    }
    for (const name of namesOf(instance)) known.set(name, instance);
    changed.add(instance);
  }
  await saveInstances(client, [...changed]);
  await park(client, known, handlerFailures);
  return { intents, handlerFailures };
};

const park = async (
  client: ClientBase,
  instances: ReadonlyMap<string, Instance>,
  handlerFailures: readonly HandlerFailure[],
): Promise<void> => {
  for (const { event, error, ...key } of handlerFailures) {
    const instance = instances.get(nameOf(key));
    if (!instance) continue;
    await addParkedEvent(client, instance, event);
    await parkInstance(client, instance, causeOf(error));
  }
};

/** Applies the events that wait for a parked instance, in order, up to the first that fails again. */
export const retryInstance = async (
  client: ClientBase,
  manager: Process,
  instance: Instance,
): Promise<{ intents: number; handlerFailure: HandlerFailure | null }> => {
  let intents = 0;
  for (const event of await loadParkedEvents(client, instance)) {
    const taken = hasSeen(instance, event) ? 0 : await takeIntoGuarded(client, { manager, instance }, event);
    if (typeof taken !== 'number') {
      await saveInstances(client, [instance]);
      await parkInstance(client, instance, causeOf(taken.error));
      return { intents, handlerFailure: taken };
    }
    intents += taken;
    await removeParkedEvents(client, instance, event.position);
  }
  await saveInstances(client, [instance]);
  await unparkInstance(client, instance);
  return { intents, handlerFailure: null };
};
