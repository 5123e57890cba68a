import { createEngines } from './engines.ts';
import { onnxRuntime } from './onnx/onnx-runtime.ts';

/** All engines, in the order in which an artefact is offered to them. */
export const ENGINES = createEngines([onnxRuntime]);
