import { z } from 'zod';
import { eventTypes, type Recorded, toFact } from '../../events/catalog.ts';
import type { RecordedEvent } from '../../events/event.ts';
import { type Process, workflowOf } from '../process.ts';

/** Which instance of one process manager an event is delivered to. */
export interface Delivery {
  manager: Process;
  event: RecordedEvent;
  /** An instance with this id, or one that follows this workflow, comes first; null: the event belongs to no workflow. */
  workflow_id: string | null;
  /** Otherwise the instance with this id receives the event; null: none does. */
  instance_id: string | null;
  /** False: this version cannot read the event, which therefore creates no instance. */
  readable: boolean;
}

const Id = z.uuid();

/** Somebody else's event may have anything in the place of an id, which Postgres would refuse to look up. */
const idOrNull = (value: unknown): string | null => (value === null ? null : (Id.safeParse(value).data ?? null));

/** An id in the data of any event, also of one that this version cannot read. */
const idIn = (data: unknown, field: string): string | null =>
  typeof data === 'object' && data !== null ? idOrNull(Reflect.get(data, field) ?? null) : null;

const deliver = (manager: Process, event: RecordedEvent, fact: Recorded): Delivery => {
  const workflow_id = idOrNull(manager.workflowOf ? manager.workflowOf(fact) : workflowOf(fact));
  const { keyed_by } = manager;
  const instance_id = keyed_by?.types.has(fact.type) ? idIn(fact.data, keyed_by.field) : null;
  return { manager, event, workflow_id, instance_id: keyed_by ? instance_id : workflow_id, readable: true };
};

/** An event that cannot be read may concern every instance that its raw data names, unless its type is known and has no meaning there. */
const deliverUnread = (manager: Process, event: RecordedEvent): Delivery => {
  const { keyed_by } = manager;
  const workflow_id = idIn(event.data, 'workflow_id');
  const concerns = !keyed_by || keyed_by.types.has(event.type) || !eventTypes().includes(event.type);
  const instance_id = concerns ? idIn(event.data, keyed_by?.field ?? 'workflow_id') : null;
  return { manager, event, workflow_id, instance_id, readable: false };
};

export const deliveriesOf = (managers: readonly Process[], event: RecordedEvent): Delivery[] => {
  try {
    const fact = toFact(event);
    return managers.map((manager) => deliver(manager, event, fact));
  } catch {
    return managers.map((manager) => deliverUnread(manager, event));
  }
};

/** False: no process manager follows the event. One that cannot be read may concern any of them. */
export const mayConcern = (managers: readonly Process[], event: RecordedEvent): boolean =>
  deliveriesOf(managers, event).some(
    ({ readable, workflow_id, instance_id }) => !readable || workflow_id !== null || instance_id !== null,
  );
