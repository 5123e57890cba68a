import { z } from 'zod';
import { CommandId, EventId, TenantId } from './ids.ts';

/**
 * The actor who caused an event. A user's name is sealed under the user's own key; a service's or process's is plain.
 */
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
  /** Shared by all events that one request leads to. */
  correlation_id: z.uuid(),
  /** The event that caused the process's command; null where a user or a service sent it. */
  causation_id: EventId.nullable(),
  actor: Actor,
  /** SHA-256 of the command's body, so that a repeated idempotency key with another body is noticed. */
  request_hash: z.string().optional(),
  traceparent: z.string().optional(),
  /** `X-Request-Id` of the request, the caller's own or made; absent where a process or a service sent the command. */
  request_id: z.string().optional(),
});
export type Meta = z.output<typeof Meta>;

/** RFC 3339, UTC. */
export const Time = z.iso.datetime();

/** A position of the log: opaque, sorts as text in log order. The API calls it a cursor where it pages. */
export const Position = z
  .string()
  .regex(/^[0-9a-zA-Z_-]{1,64}$/)
  .brand<'Position'>();
export type Position = z.output<typeof Position>;

/** The format of a position: each log has letters, digits and separators at the same places. */
const formOf = (position: string): string => position.replace(/[0-9a-f]/g, '0');

/** False where the two cannot be positions of the same log, so comparing them means nothing. */
export const ofOneForm = (a: Position, b: Position): boolean => formOf(a) === formOf(b);

/** An event to append. `data` has been parsed with the event's schema. */
export interface NewEvent {
  id: EventId;
  type: string;
  version: number;
  data: unknown;
  meta: Meta;
}

/** An event as the log returns it. Revisions start at 0; `at` is the time of the append. */
export interface RecordedEvent extends NewEvent {
  stream: string;
  revision: number;
  position: Position;
  at: string;
}

/**
 * The definition of a fact: its name in the past tense, the schema of its newest version, and the upcasters from older
 * ones.
 */
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

/** The `{ type, data }` of a definition. */
export type FactOf<Definition> =
  Definition extends EventDefinition<infer Type, infer Data> ? { type: Type; data: z.output<Data> } : never;
