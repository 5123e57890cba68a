import { createHash } from 'node:crypto';
import { z } from 'zod';
import { event } from './event.ts';
import { formerNameKey, nameKey } from './name-key.ts';

/** The areas whose names are unique within a tenant. */
export const NameKind = z.enum(['project', 'model', 'cluster', 'endpoint']);
export type NameKind = z.output<typeof NameKind>;

/** What is reserved: a name, or the turn of a command that is handled alone. */
const ReservedKind = z.enum([...NameKind.options, 'turn']);
export type ReservedKind = z.output<typeof ReservedKind>;

const claim = z.object({ kind: ReservedKind, name: z.string(), holder_id: z.uuid() });

export const NameReserved = event('NameReserved', claim);
export const NameReleased = event('NameReleased', claim);
/**
 * Closes the stream of an aggregate that was never created: whoever takes over its reserved name appends this event
 * first, so that a slow creator can no longer create it.
 */
export const CreationAbandoned = event('CreationAbandoned', claim);

export const nameEvents = [NameReserved, NameReleased, CreationAbandoned] as const;

/** How the names of these streams begin. */
export const NAME_STREAMS = 'name-';

/** Names of streams have at most 500 characters in every log. */
const LONGEST_STREAM = 500;

/** One character of a key can have twelve in a stream's name. */
const plainStream = (prefix: string, key: string): string | null => {
  const stream = `${prefix}${encodeURIComponent(key.toWellFormed())}`;
  return stream.length > LONGEST_STREAM ? null : stream;
};

/** `=` stands in no encoded key. */
const hashedStream = (prefix: string, key: string): string =>
  `${prefix}=${createHash('sha256').update(key).digest('hex')}`;

/**
 * The streams in which a name is reserved: that of its key and, where the first releases had another key for it, the one
 * in which they reserved it and reserve it still while they run beside this one.
 */
export const nameStreams = (
  tenantId: string,
  { kind, name }: { kind: ReservedKind; name: string },
): readonly [string, ...string[]] => {
  const prefix = `${NAME_STREAMS}${kind}-${tenantId}-`;
  const key = nameKey(name);
  const stream = plainStream(prefix, key) ?? hashedStream(prefix, key);
  const former = plainStream(prefix, formerNameKey(name));
  return former === null || former === stream ? [stream] : [stream, former];
};
