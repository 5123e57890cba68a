import { z } from 'zod';
import { event } from './event.ts';

/** The kinds of thing whose names are unique within a tenant. */
export const NameKind = z.enum(['project', 'model', 'cluster', 'endpoint']);
export type NameKind = z.output<typeof NameKind>;

const claim = z.object({ kind: NameKind, name: z.string(), holder_id: z.uuid() });

export const NameReserved = event('NameReserved', claim);
export const NameReleased = event('NameReleased', claim);
/**
 * Stands in the stream of a thing that never came to be: whoever takes over its reserved name first closes its
 * stream with this, so that a creator that was only slow cannot create it afterwards.
 */
export const CreationAbandoned = event('CreationAbandoned', claim);

export const nameEvents = [NameReserved, NameReleased, CreationAbandoned] as const;

/** Case and surrounding white space do not make another name. */
export const normaliseName = (name: string): string => name.trim().normalize('NFC').toLowerCase();

export const nameStream = (tenantId: string, kind: NameKind, name: string): string =>
  `name-${kind}-${tenantId}-${encodeURIComponent(normaliseName(name))}`;
