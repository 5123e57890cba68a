import { z } from 'zod';
import { OnnxFacts } from './onnx-facts.ts';

/** What the inspecting process is told. */
export const InspectionTask = z.object({
  path: z.string(),
  /** Also open the model with ONNX Runtime, which proves that it can be served. */
  open: z.boolean(),
  /** The inspecting process ends itself once this is no longer its parent. */
  parent_pid: z.number(),
  max_memory_bytes: z.number(),
});
export type InspectionTask = z.infer<typeof InspectionTask>;

/** What it found: the facts, or why the file is refused (a sentence for the user). */
export const Inspection = z.discriminatedUnion('accepted', [
  z.object({
    accepted: z.literal(true),
    facts: OnnxFacts,
    file_size_bytes: z.number(),
    /** Lower-case hex. */
    sha256: z.string(),
  }),
  z.object({ accepted: z.literal(false), reason: z.string() }),
]);
export type Inspection = z.infer<typeof Inspection>;
