import type { ClientBase } from 'pg';
import type { RecordedEvent } from '../../events/event.ts';
import { FactFromNewerVersion } from '../../events/fact-from-newer-version.ts';
import { failureText } from '../../failures/failure-text.ts';
import { isDataError } from '../../postgres/transaction.ts';
import type { Process } from '../process.ts';
import { deliveriesOf } from './delivery.ts';
import type { InstanceKey } from './instance-key.ts';
import { hasSeen, isEffect, metaOf, nameOf, namesOf, type Reacted, reactTo, receiverOf } from './instance-reaction.ts';
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
import { abandonCalls } from './intent-queue.ts';
import { createPendingWrites, type PendingWrites } from './pending-writes.ts';

/** An event on which a process manager threw. */
export interface HandlerFailure extends InstanceKey {
  event: RecordedEvent;
  error: unknown;
}

/** The outcome of a batch of events. */
export interface Taken {
  /** How many intents were stored. */
  intents: number;
  /** The instances for which `markFirst` is due after the commit. */
  waiting: readonly InstanceKey[];
  handlerFailures: readonly HandlerFailure[];
}

const instanceKeyOf = ({ process: name, instance_id }: InstanceKey): InstanceKey => ({ process: name, instance_id });

const causeOf = (error: unknown): ParkCause => ({
  error: failureText(error),
  from_newer_version: error instanceof FactFromNewerVersion,
});

interface Writer {
  client: ClientBase;
  pending: PendingWrites;
}

/** Collects the timers that one reaction sets, replaces and drops. */
export const collectTimers = (
  pending: PendingWrites,
  instance: Instance,
  { event, intents, followed, follows }: Omit<Reacted, 'state'>,
): void => {
  const { tenant_id } = instance;
  const common = { ...instanceKeyOf(instance), tenant_id, event_id: event.id, meta: metaOf(event) };
  // A timer is kept under the workflow in which it fires.
  if (followed !== null && followed !== follows) pending.dropTimers({ ...common, instance_id: followed });
  const timers = { ...common, instance_id: follows ?? followed ?? instance.instance_id };
  for (const [n, intent] of intents.entries()) {
    if (intent.kind === 'timer') pending.setTimer({ ...timers, n, timer: intent.timer, due_at: intent.at });
    if (intent.kind === 'cancel-timer') pending.dropTimer(timers, intent.timer);
    if (intent.kind === 'end') pending.dropTimers(timers);
  }
};

/** What the instance is after a reaction. */
export const takeReaction = (manager: Process, instance: Instance, raw: RecordedEvent, reacted: Reacted): void => {
  instance.workflow_id = manager.keyed_by ? reacted.follows : null;
  instance.state = reacted.state;
  instance.position = raw.position;
  instance.ended = reacted.intents.some(({ kind }) => kind === 'end');
};

/** Collects the intents of one reaction. Answers the number of effects among them. */
const collectIntents = async (
  { client, pending }: Writer,
  instance: Instance,
  { event, intents, followed, follows }: Reacted,
): Promise<number> => {
  const { tenant_id } = instance;
  const common = { ...instanceKeyOf(instance), tenant_id, event_id: event.id, meta: metaOf(event) };
  if (intents.some(({ kind }) => kind === 'abandon-calls')) {
    // After the calls of earlier reactions, and before those of this one, which it must not abandon.
    await pending.write(client);
    await abandonCalls(client, common);
  }
  const workflow_id = follows ?? followed;
  const effects = intents.flatMap((intent, n) => {
    if (!isEffect(intent)) return [];
    return [{ ...common, workflow_id, n, intent, give_up_at: 'give_up_at' in intent ? intent.give_up_at : null }];
  });
  pending.addIntents(effects);
  collectTimers(pending, instance, { event, intents, followed, follows });
  return effects.length;
};

/**
 * Applies one event to one instance, whose fields it changes, and returns the number of effects. An error of `react` is
 * returned as `HandlerFailure`. An error of the database is thrown, which rolls the whole transaction back.
 */
const takeInto = async (
  writer: Writer,
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
  takeReaction(manager, instance, raw, reacted);
  return collectIntents(writer, instance, reacted);
};

/**
 * As `takeInto`, and stores the instance. Data that the database refuses fails this instance only: all that the event did
 * is rolled back, and the error is returned as `HandlerFailure`.
 */
const takeIntoGuarded = async (
  writer: Writer,
  { manager, instance }: { manager: Process; instance: Instance },
  raw: RecordedEvent,
): Promise<number | HandlerFailure> => {
  const { client, pending } = writer;
  const before = { ...instance };
  await client.query('savepoint event');
  try {
    const taken = await takeInto(writer, { manager, instance }, raw);
    await pending.write(client);
    if (typeof taken === 'number') await saveInstances(client, [instance]);
    await client.query('release savepoint event');
    return taken;
  } catch (error) {
    if (!isDataError(error)) throw error;
    await client.query('rollback to savepoint event');
    pending.discard();
    Object.assign(instance, before);
    return { ...instanceKeyOf(instance), event: raw, error };
  }
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
  const pending = createPendingWrites();
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
    const taken = await take({ client, pending }, { manager, instance }, event);
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
  await pending.write(client);
  await saveInstances(client, [...changed]);
  await park(client, known, handlerFailures);
  return { intents, waiting: pending.waiting, handlerFailures };
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
): Promise<Omit<Taken, 'handlerFailures'> & { handlerFailure: HandlerFailure | null }> => {
  const pending = createPendingWrites();
  const { waiting } = pending;
  const writer = { client, pending };
  let intents = 0;
  for (const event of await loadParkedEvents(client, instance)) {
    const taken = hasSeen(instance, event) ? 0 : await takeIntoGuarded(writer, { manager, instance }, event);
    if (typeof taken !== 'number') {
      await saveInstances(client, [instance]);
      await parkInstance(client, instance, causeOf(taken.error));
      return { intents, waiting, handlerFailure: taken };
    }
    intents += taken;
    await removeParkedEvents(client, instance, event.position);
  }
  await saveInstances(client, [instance]);
  await unparkInstance(client, instance);
  return { intents, waiting, handlerFailure: null };
};
