import { z } from 'zod';
import { Meta, type RecordedEvent, Time } from '../events/event.ts';
import { EventId } from '../events/ids.ts';
import { isPlainEnvelope, MAX_INTEGER, type Stored } from './plain-envelope.ts';

const Count = z.int().max(MAX_INTEGER);

/** No fact nests deeper than a few levels. Text of 1 MiB can nest deeper than a recursion, or Postgres, can follow. */
const MAX_DEPTH = 64;

/** Up to 500 characters without control characters; `$` begins the names of EventStoreDB's own. */
const Name = z.string().regex(/^(?!\$)\P{Cc}{1,500}$/u);

const isJson = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return value !== undefined;
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  // Binary data is an object, too, with a prototype of its own.
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) if (!isJson(Reflect.get(value, key), depth + 1)) return false;
  return true;
};

/**
 * The whole envelope of an event, as it lies in a log: what does not fit is not BudApp's, whatever else it looks like. A
 * log is open to others: another application in the same server, or somebody with an SQL client.
 *
 * A field that is written otherwise from some release on must be read otherwise one release earlier: to the older one the
 * event is somebody else's.
 */
const Envelope = z.object({
  id: EventId,
  stream: Name,
  revision: Count.min(0),
  type: Name,
  version: Count.min(1),
  // As `toISOString` writes it, in a year that Postgres knows.
  at: Time.regex(/^(?!0000).{23}Z$/),
  meta: Meta,
});

/** Whether the envelope fits the schema, and nothing quicker is asked. */
export const fitsEnvelope = (event: Stored): boolean => Envelope.safeParse(event).success;

/** Whether an event is BudApp's. It says nothing about the fact in `data`, which the schema of its type describes. */
export const isOurs = (event: Stored): event is RecordedEvent => {
  // Nearly all events of others end here: an error of the schema costs more than reading the event.
  if (typeof event.at !== 'string' || typeof event.meta !== 'object') return false;
  return isJson(event.data, 0) && (isPlainEnvelope(event) || fitsEnvelope(event));
};
