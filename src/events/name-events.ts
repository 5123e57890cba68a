import { z } from 'zod';
import { event } from './event.ts';

/** The areas whose names are unique within a tenant. */
export const NameKind = z.enum(['project', 'model', 'cluster', 'endpoint']);
export type NameKind = z.output<typeof NameKind>;

const claim = z.object({ kind: NameKind, name: z.string(), holder_id: z.uuid() });

export const NameReserved = event('NameReserved', claim);
export const NameReleased = event('NameReleased', claim);
/**
 * Closes the stream of an aggregate that was never created: whoever takes over its reserved name appends this event
 * first, so that a slow creator can no longer create it.
 */
export const CreationAbandoned = event('CreationAbandoned', claim);

export const nameEvents = [NameReserved, NameReleased, CreationAbandoned] as const;

/** Case and surrounding white space do not distinguish names. */
export const normaliseName = (name: string): string => name.trim().normalize('NFC').toLowerCase();

export const nameStream = (tenantId: string, kind: NameKind, name: string): string =>
  `name-${kind}-${tenantId}-${encodeURIComponent(normaliseName(name))}`;
