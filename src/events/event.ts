import { z } from 'zod';
import { CommandId, EventId, TenantId } from './ids.ts';

/** Who caused an event. A user's name is sealed under the user's own key; a service's or process's is plain. */
export const Actor = z.object({
  type: z.enum(['user', 'service', 'process']),
  id: z.string().min(1),
  name: z.string(),
});
export type Actor = z.output<typeof Actor>;

/** Everything about an event that is not the fact itself. */
export const Meta = z.object({
  tenant_id: TenantId,
  command_id: CommandId,
  command: z.string(),
  /** The same for everything that one request set in motion. */
  correlation_id: z.uuid(),
  /** The event that made a process ask for this; null where a person or a service asked. */
  causation_id: EventId.nullable(),
  actor: Actor,
  /** SHA-256 of the command's body, so that a repeated idempotency key with another body is noticed. */
  request_hash: z.string().optional(),
  traceparent: z.string().optional(),
});
export type Meta = z.output<typeof Meta>;

/** RFC 3339, UTC. */
export const Time = z.iso.datetime();

/** Opaque, sorts in log order as plain text; what clients see as a cursor. */
export const Position = z
  .string()
  .regex(/^[0-9a-zA-Z_-]{1,64}$/)
  .brand<'Position'>();
export type Position = z.output<typeof Position>;

/** Each log writes its positions in one form: letters, digits and separators at the same places. */
const formOf = (position: string): string => position.replace(/[0-9a-f]/g, '0');

/** False: they cannot be positions of one log, and comparing them means nothing. */
export const ofOneForm = (a: Position, b: Position): boolean => formOf(a) === formOf(b);

/** What is to be appended. `data` has been parsed by the event's schema. */
export interface NewEvent {
  id: EventId;
  type: string;
  version: number;
  data: unknown;
  meta: Meta;
}

/** What the log gives back. Revisions start at 0; `at` is the time of the append. */
export interface RecordedEvent extends NewEvent {
  stream: string;
  revision: number;
  position: Position;
  at: string;
}

/** One kind of fact: its name in the past tense, the schema of its newest version, and how older ones become it. */
export interface EventDefinition<Type extends string, Data extends z.ZodType> {
  type: Type;
  version: number;
  data: Data;
  /** `upcast[n]` turns the data of version n into that of version n + 1. */
  upcast: Readonly<Record<number, (data: never) => unknown>>;
}

export const event = <Type extends string, Data extends z.ZodType>(
  type: Type,
  data: Data,
  { version = 1, upcast = {} }: { version?: number; upcast?: Readonly<Record<number, (data: never) => unknown>> } = {},
): EventDefinition<Type, Data> => ({ type, version, data, upcast });

/** The `{ type, data }` that a definition stands for. */
export type FactOf<Definition> =
  Definition extends EventDefinition<infer Type, infer Data> ? { type: Type; data: z.output<Data> } : never;
