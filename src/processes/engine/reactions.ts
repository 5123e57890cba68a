import type { ClientBase } from 'pg';
import { type Recorded, toFact } from '../../events/catalog.ts';
import type { RecordedEvent } from '../../events/event.ts';
import { WorkflowId } from '../../events/ids.ts';
import { type Effect, type Intent, type Process, workflowOf } from '../process.ts';
import {
  addParkedEvent,
  type Instance,
  loadInstances,
  loadParkedEvents,
  parkInstance,
  removeParkedEvents,
  saveInstances,
  unparkInstance,
} from './instances.ts';
import { abandonCalls, addIntents, type IntentMeta } from './intent-queue.ts';
import { dropTimer, dropTimers, setTimer } from './timers.ts';

/** An event that a process could not digest. */
export interface HandlerFailure {
  process: string;
  instance_id: string;
  event: RecordedEvent;
  error: unknown;
}

/** What the taking in of some events came to. */
export interface Taken {
  /** How many intents were stored. */
  intents: number;
  handlerFailures: readonly HandlerFailure[];
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const keyOf = (process: Process, event: Recorded): string | null => {
  if (process.keyOf) return process.keyOf(event);
  return process.workflowOf ? process.workflowOf(event) : workflowOf(event);
};

/** False: no process has anything to do with the event. One that cannot be read concerns whoever has to say so. */
export const mayConcern = (processes: readonly Process[], event: RecordedEvent): boolean => {
  try {
    const fact = toFact(event);
    return processes.some((process) => keyOf(process, fact) !== null);
  } catch {
    return true;
  }
};

/** Who is told what came of an intent: the instance's own workflow, where it follows one. */
const workflowToTell = (process: Process, instance: Instance, event: Recorded): WorkflowId | null =>
  process.keyOf ? workflowOf(event) : WorkflowId.parse(instance.instance_id);

/** Where the event itself cannot be read by this version, its raw data still says whose it is. */
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

/** Stores what one reaction asks for; answers how many effects that are. */
const storeIntents = async (
  client: ClientBase,
  { process, instance_id, tenant_id }: Instance,
  { event, intents, workflow_id }: { event: Recorded; intents: readonly Intent[]; workflow_id: WorkflowId | null },
): Promise<number> => {
  const common = { process, instance_id, tenant_id, event_id: event.id, meta: metaOf(event) };
  // First, so that it cannot hit what this very reaction asks for.
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

/** One event for one instance: the instance afterwards and what it asks for; null where the event means nothing to it. */
const digest = (process: Process, instance: Instance | null, raw: RecordedEvent) => {
  const event = toFact(raw);
  const stored = instance?.state ?? null;
  const reaction = process.react(stored === null ? null : process.state.parse(stored), event);
  return reaction === null ? null : { event, reaction };
};

const newInstance = (process: Process, instance_id: string, event: RecordedEvent): Instance => ({
  process: process.name,
  instance_id,
  tenant_id: event.meta.tenant_id,
  state: null,
  position: null,
  ended: false,
  parked: false,
});

/**
 * Takes one event into one instance, whose fields it changes; answers how many effects are asked for. What `react` throws
 * comes back as `HandlerFailure`; a database that fails throws, and takes the whole transaction with it.
 */
const takeInto = async (
  client: ClientBase,
  { process, instance }: { process: Process; instance: Instance },
  raw: RecordedEvent,
): Promise<number | HandlerFailure> => {
  let digested: ReturnType<typeof digest>;
  try {
    digested = digest(process, instance, raw);
  } catch (error) {
    return { process: process.name, instance_id: instance.instance_id, event: raw, error };
  }
  if (!digested) return 0;
  const { event, reaction } = digested;
  instance.state = reaction.state;
  instance.position = raw.position;
  instance.ended = reaction.intents.some(({ kind }) => kind === 'end');
  const workflow_id = workflowToTell(process, instance, event);
  return storeIntents(client, instance, { event, intents: reaction.intents, workflow_id });
};

const hasSeen = (instance: Instance, event: RecordedEvent): boolean =>
  instance.ended || (instance.position !== null && event.position <= instance.position);

/**
 * Takes events, in log order, into all instances that they concern: states, intents and timers, inside the caller's
 * transaction. What an instance has seen before means nothing to it, so a replay asks for nothing twice. An event that a
 * process cannot digest parks that instance, and the others go on.
 */
export const takeEvents = async (
  client: ClientBase,
  processes: readonly Process[],
  events: readonly RecordedEvent[],
): Promise<Taken> => {
  const concerned = events.flatMap((event) => {
    try {
      const fact = toFact(event);
      return processes.map((process) => ({ process, event, key: keyOf(process, fact), readable: true }));
    } catch {
      return processes.map((process) => ({ process, event, key: rawKeyOf(event), readable: false }));
    }
  });
  const keys = new Set(concerned.flatMap(({ key }) => (key === null ? [] : [key])));
  const instances = new Map<string, Instance>();
  const nameOf = (process: string, instance_id: string) => `${process}:${instance_id}`;
  for (const instance of await loadInstances(client, [...keys])) {
    instances.set(nameOf(instance.process, instance.instance_id), instance);
  }

  const changed = new Set<Instance>();
  const handlerFailures: HandlerFailure[] = [];
  let intents = 0;
  for (const { process, event, key, readable } of concerned) {
    if (key === null) continue;
    const name = nameOf(process.name, key);
    const instance = instances.get(name) ?? (readable ? newInstance(process, key, event) : null);
    if (!instance || hasSeen(instance, event)) continue;
    if (instance.parked) {
      await addParkedEvent(client, instance, event);
      continue;
    }
    const taken = await takeInto(client, { process, instance }, event);
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
  for (const { process, instance_id, event, error } of handlerFailures) {
    const instance = instances.get(`${process}:${instance_id}`);
    if (!instance) continue;
    await addParkedEvent(client, instance, event);
    await parkInstance(client, instance, messageOf(error));
  }
};

/** Tries what waits for a parked instance again, in order; answers what is still in the way, or null. */
export const retryInstance = async (
  client: ClientBase,
  process: Process,
  instance: Instance,
): Promise<{ intents: number; handlerFailure: HandlerFailure | null }> => {
  let intents = 0;
  for (const event of await loadParkedEvents(client, instance)) {
    const taken = hasSeen(instance, event) ? 0 : await takeInto(client, { process, instance }, event);
    if (typeof taken !== 'number') {
      await saveInstances(client, [instance]);
      await parkInstance(client, instance, messageOf(taken.error));
      return { intents, handlerFailure: taken };
    }
    intents += taken;
    await removeParkedEvents(client, instance, event.position);
  }
  await saveInstances(client, [instance]);
  await unparkInstance(client, instance);
  return { intents, handlerFailure: null };
};
