import { z } from 'zod';
import { OnnxFacts } from './onnx-facts.ts';

/** The arguments of the reading process. */
export const ReadingTask = z.object({
  path: z.string(),
  /** Also open the model with ONNX Runtime, which proves that it can be served. */
  open: z.boolean(),
  /** The reading process ends itself once this is no longer its parent. */
  parent_pid: z.number(),
  max_memory_bytes: z.number(),
});
export type ReadingTask = z.infer<typeof ReadingTask>;

/** What it found: the facts, or why the file is refused (a sentence for the user). */
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
