import type { Resources } from '../../events/values.ts';
import type { ArtefactKind, Inspect, Inspection } from '../engine/engine.ts';
import type { Engines } from '../engine/engines.ts';
import { readBeginning } from '../service/disk-path.ts';
import { StepFailed } from '../service/step-failed.ts';

interface Inspected extends Extract<Inspection, { accepted: true }> {
  kind: ArtefactKind;
  /** What a replica takes, as its engine counts it. */
  replica_resources: Resources;
}

/** Has the artefact read by the engine that takes it. Throws `StepFailed` where it is refused. */
export const inspectArtefact = async (
  engines: Engines,
  path: string,
  options: Parameters<Inspect>[1],
): Promise<Inspected> => {
  const beginning = await readBeginning(path);
  if (beginning.size_bytes === 0) throw new StepFailed('the file is empty');
  const engine = engines.findFor(beginning);
  if (engine === undefined) throw new StepFailed(`the file is not ${engines.anyArtefact}`);
  const kind = engine.artefact;
  const inspection = await kind.inspect(path, options);
  if (!inspection.accepted) throw new StepFailed(inspection.reason);
  return { ...inspection, kind, replica_resources: engine.footprint(beginning.size_bytes) };
};
