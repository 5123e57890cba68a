import { z } from 'zod';
import { OnnxFacts } from './onnx-facts.ts';

/** The arguments of the reading process. */
export const ReadingTask = z.object({
  path: z.string(),
  /** Also load the model as a replica does, and try to run it. */
  open: z.boolean(),
  /** The reading process ends itself once this is no longer its parent. */
  parent_pid: z.number(),
  max_memory_bytes: z.number(),
});
export type ReadingTask = z.infer<typeof ReadingTask>;

/** What it found, its first line: the facts, or why the file is refused (a sentence for the user). */
export const Reading = z.discriminatedUnion('accepted', [
  z.object({
    accepted: z.literal(true),
    facts: OnnxFacts,
    file_size_bytes: z.number(),
    /** Lower-case hex. */
    sha256: z.string(),
  }),
  z.object({ accepted: z.literal(false), reason: z.string() }),
]);
export type Reading = z.infer<typeof Reading>;

/** What it tells after a reading that was accepted, where it was to open the model. */
export const Trial = z.object({
  /** Why the model cannot be served though it can be loaded; null where nothing speaks against it. */
  failure: z.string().nullable(),
});
export type Trial = z.infer<typeof Trial>;
