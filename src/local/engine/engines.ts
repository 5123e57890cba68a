import type { ArtefactBeginning, Engine } from './engine.ts';

/** The engines that a local service works with. */
export interface Engines {
  /** The engine that takes the artefact; undefined: none does. */
  findFor(beginning: ArtefactBeginning): Engine | undefined;
  /** The engine of a deployment. Throws where there is none of that name. */
  get(name: string): Engine;
  /** The kinds of artefacts that can be served: `ONNX`. */
  titles: string;
  /** One artefact of any kind: `an ONNX model`. */
  anyArtefact: string;
}

/** An artefact is offered to the engines in their order. */
export const createEngines = (engines: readonly Engine[]): Engines => ({
  findFor: (beginning) => engines.find(({ artefact }) => artefact.matches(beginning)),
  get(name) {
    const engine = engines.find((candidate) => candidate.name === name);
    if (engine === undefined) throw new Error(`there is no engine ${name}`);
    return engine;
  },
  titles: engines.map(({ artefact }) => artefact.title).join(' and '),
  anyArtefact: engines.map(({ artefact }) => artefact.one).join(' or '),
});
