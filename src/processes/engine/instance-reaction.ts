import { type Recorded, toFact } from '../../events/catalog.ts';
import type { RecordedEvent } from '../../events/event.ts';
import { WorkflowId } from '../../events/ids.ts';
import type { Effect, Intent, Process } from '../process.ts';
import type { Delivery } from './delivery.ts';
import type { InstanceKey } from './instance-key.ts';
import type { Instance } from './instances.ts';
import type { IntentMeta } from './intent-queue.ts';

/** The pure part of the engine: which instance receives an event, and what it does with it. */

export const nameOf = (key: InstanceKey): string => `${key.process}:${key.instance_id}`;

export const isEffect = (intent: Intent): intent is Effect =>
  intent.kind === 'command' ||
  intent.kind === 'call' ||
  intent.kind === 'lookup-clusters' ||
  intent.kind === 'remove-object';

export const metaOf = ({ meta }: RecordedEvent): IntentMeta => ({
  correlation_id: meta.correlation_id,
  ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
});

/** What an instance did with one event. */
export interface Reacted {
  event: Recorded;
  state: unknown;
  intents: readonly Intent[];
  /** The workflow that the instance followed before and follows now; null: none. */
  followed: WorkflowId | null;
  follows: WorkflowId | null;
}

/** The workflow that records the outcome of an instance's intents: the one that it is of, or that it follows at present. */
const followedBy = (manager: Process, { instance_id }: InstanceKey, state: unknown): WorkflowId | null => {
  if (!manager.keyed_by) return WorkflowId.parse(instance_id);
  return state === null ? null : (manager.follows?.(state) ?? null);
};

/** The reaction of one instance to one event; null: the instance ignores the event. */
export const reactTo = (manager: Process, instance: Instance, raw: RecordedEvent): Reacted | null => {
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

export const hasSeen = (instance: Instance, event: RecordedEvent): boolean =>
  instance.ended || (instance.position !== null && event.position <= instance.position);

/** An instance is found by its own id, and by that of the workflow that it follows. */
export const namesOf = ({ process: name, instance_id, workflow_id }: Instance): string[] =>
  [instance_id, workflow_id].flatMap((id) => (id === null ? [] : [nameOf({ process: name, instance_id: id })]));

/** The instance that an event is delivered to, which may be a new one; null: there is none. */
export const receiverOf = (
  known: ReadonlyMap<string, Instance>,
  { manager, event, workflow_id, instance_id, readable }: Delivery,
): Instance | null => {
  const find = (id: string | null) =>
    id === null ? null : known.get(nameOf({ process: manager.name, instance_id: id }));
  const found = find(workflow_id) ?? find(instance_id);
  if (found) return found;
  return readable && instance_id !== null ? newInstance(manager, instance_id, event) : null;
};
