import type { ClientBase } from 'pg';
import { type Recorded, toFact } from '../../events/catalog.ts';
import type { RecordedEvent } from '../../events/event.ts';
import { FactFromNewerVersion } from '../../events/fact-from-newer-version.ts';
import { WorkflowId } from '../../events/ids.ts';
import { failureText } from '../../failures/failure-text.ts';
import { type Effect, type Intent, type Process, workflowOf } from '../process.ts';
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

const keyOf = (manager: Process, event: Recorded): string | null => {
  if (manager.keyOf) return manager.keyOf(event);
  return manager.workflowOf ? manager.workflowOf(event) : workflowOf(event);
};

/** False: no process manager follows the event. One that cannot be read may concern any of them. */
export const mayConcern = (managers: readonly Process[], event: RecordedEvent): boolean => {
  try {
    const fact = toFact(event);
    return managers.some((manager) => keyOf(manager, fact) !== null);
  } catch {
    return true;
  }
};

/** The workflow that records the outcome of an intent: the instance's own, where the instance follows a workflow. */
const workflowToTell = (manager: Process, instance: Instance, event: Recorded): WorkflowId | null =>
  manager.keyOf ? workflowOf(event) : WorkflowId.parse(instance.instance_id);

/** The workflow id in the raw data of an event that this version cannot read. */
const rawKeyOf = ({ data }: RecordedEvent): string | null => {
  const key = typeof data === 'object' && data !== null && 'workflow_id' in data ? data.workflow_id : null;
  return typeof key === 'string' ? key : null;
};

const isEffect = (intent: Intent): intent is Effect =>
  intent.kind === 'command' ||
  intent.kind === 'call' ||
  intent.kind === 'lookup-clusters' ||
  intent.kind === 'remove-object';

const metaOf = ({ meta }: RecordedEvent): IntentMeta => ({
  correlation_id: meta.correlation_id,
  ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
});

/** Stores the intents of one reaction. Answers the number of effects among them. */
const storeIntents = async (
  client: ClientBase,
  instance: Instance,
  { event, intents, workflow_id }: { event: Recorded; intents: readonly Intent[]; workflow_id: WorkflowId | null },
): Promise<number> => {
  const { tenant_id } = instance;
  const common = { ...instanceKeyOf(instance), tenant_id, event_id: event.id, meta: metaOf(event) };
  // First, so that it does not abandon the calls of this reaction itself.
  if (intents.some(({ kind }) => kind === 'abandon-calls')) await abandonCalls(client, common);
  const effects = intents.flatMap((intent, n) => {
    if (!isEffect(intent)) return [];
    return [{ ...common, workflow_id, n, intent, give_up_at: 'give_up_at' in intent ? intent.give_up_at : null }];
  });
  await addIntents(client, effects);
  for (const [n, intent] of intents.entries()) {
    if (intent.kind === 'timer') await setTimer(client, { ...common, n, timer: intent.timer, due_at: intent.at });
    if (intent.kind === 'cancel-timer') await dropTimer(client, common, intent.timer);
    if (intent.kind === 'end') await dropTimers(client, common);
  }
  return effects.length;
};

/** The reaction of one instance to one event; null: the instance ignores the event. */
const reactTo = (manager: Process, instance: Instance | null, raw: RecordedEvent) => {
  const event = toFact(raw);
  const stored = instance?.state ?? null;
  const reaction = manager.react(stored === null ? null : manager.state.parse(stored), event);
  return reaction === null ? null : { event, reaction };
};

const newInstance = (manager: Process, instance_id: string, event: RecordedEvent): Instance => ({
  process: manager.name,
  instance_id,
  tenant_id: event.meta.tenant_id,
  state: null,
  position: null,
  ended: false,
  parked: false,
});

/**
 * Applies one event to one instance, whose fields it changes, and answers the number of effects. An error of `react` is
 * answered as `HandlerFailure`. An error of the database is thrown, which rolls the whole transaction back.
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
  const { event, reaction } = reacted;
  instance.state = reaction.state;
  instance.position = raw.position;
  instance.ended = reaction.intents.some(({ kind }) => kind === 'end');
  const workflow_id = workflowToTell(manager, instance, event);
  return storeIntents(client, instance, { event, intents: reaction.intents, workflow_id });
};

const hasSeen = (instance: Instance, event: RecordedEvent): boolean =>
  instance.ended || (instance.position !== null && event.position <= instance.position);

/**
 * Applies events, in log order, to all instances that follow them, and stores states, intents and timers inside the
 * caller's transaction. An instance ignores the events that it has seen, so a replay stores no intent twice. An event on
 * which a process manager throws parks that one instance; the others go on.
 */
export const takeEvents = async (
  client: ClientBase,
  managers: readonly Process[],
  events: readonly RecordedEvent[],
): Promise<Taken> => {
  const concerned = events.flatMap((event) => {
    try {
      const fact = toFact(event);
      return managers.map((manager) => ({ manager, event, key: keyOf(manager, fact), readable: true }));
    } catch {
      return managers.map((manager) => ({ manager, event, key: rawKeyOf(event), readable: false }));
    }
  });
  const keys = new Set(concerned.flatMap(({ key }) => (key === null ? [] : [key])));
  const instances = new Map<string, Instance>();
  for (const instance of await loadInstances(client, [...keys])) {
    instances.set(nameOf(instance), instance);
  }

  const changed = new Set<Instance>();
  const handlerFailures: HandlerFailure[] = [];
  let intents = 0;
  for (const { manager, event, key, readable } of concerned) {
    if (key === null) continue;
    const name = nameOf({ process: manager.name, instance_id: key });
    const instance = instances.get(name) ?? (readable ? newInstance(manager, key, event) : null);
    if (!instance || hasSeen(instance, event)) continue;
    if (instance.parked) {
      await addParkedEvent(client, instance, event);
      continue;
    }
    const taken = await takeInto(client, { manager, instance }, event);
    if (typeof taken === 'number') {
      if (instance.position !== event.position) continue;
      intents += taken;
    } else {
      instance.parked = true;
      handlerFailures.push(taken);
    }
    instances.set(name, instance);
    changed.add(instance);
  }
  await saveInstances(client, [...changed]);
  await park(client, instances, handlerFailures);
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
    const taken = hasSeen(instance, event) ? 0 : await takeInto(client, { manager, instance }, event);
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
