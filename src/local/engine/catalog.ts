import type { Engine } from './engine.ts';
import { onnxRuntime } from './onnx/onnx-runtime.ts';

/** Every engine, in the order in which an artefact is offered to them. */
export const ENGINES: readonly Engine[] = [onnxRuntime];

/** The engine that takes an artefact which begins so; undefined: none does. */
export const findEngineFor = (first_byte: number | undefined): Engine | undefined =>
  ENGINES.find((engine) => engine.takes(first_byte));

/** The engine of a deployment. Throws where this version of BudApp has no engine of that name. */
export const getEngine = (name: string): Engine => {
  const engine = ENGINES.find((candidate) => candidate.name === name);
  if (engine === undefined) throw new Error(`there is no engine ${name}`);
  return engine;
};
