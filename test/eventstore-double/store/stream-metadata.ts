import { z } from 'zod';
import { jsonOf, type StoredEvent } from './stored-event.ts';

/** What a stream's metadata hides of it: on reads of the stream only, since `$all` shows everything until a scavenge. */
export interface StreamMetadata {
  /** `$tb`: revisions below are hidden; `Infinity` where the stream is deleted. */
  truncateBefore: number;
  /** `$maxCount`: so many of the newest events are shown. */
  maxCount: number;
  /** `$maxAge` in milliseconds. */
  maxAgeMs: number;
}

export const HIDES_NOTHING: StreamMetadata = { truncateBefore: 0, maxCount: Infinity, maxAgeMs: Infinity };

const Hiding = z.looseObject({
  $tb: z.number().optional(),
  $maxCount: z.number().optional(),
  $maxAge: z.number().optional(),
});

/** Metadata replaces that of before as a whole; what is no metadata hides nothing. */
export const metadataIn = (event: StoredEvent): StreamMetadata => {
  const { success, data } = Hiding.safeParse(jsonOf(event));
  if (!success) return HIDES_NOTHING;
  const { $tb = 0, $maxCount = Infinity, $maxAge = Infinity } = data;
  // A deletion says the largest 64-bit integer, which no number of JavaScript holds.
  return { truncateBefore: Number.isSafeInteger($tb) ? $tb : Infinity, maxCount: $maxCount, maxAgeMs: $maxAge * 1000 };
};
