import { z } from 'zod';
import { end, type Process } from '../process.ts';
import { removeFiles } from './model-files.ts';

const State = z.object({ phase: z.literal('removing'), object_key: z.string().nullable() });
type State = z.output<typeof State>;

/** (deleted) -> its files are removed. Instances are keyed by the model, since its deletion is no workflow. */
export const modelDeletion: Process<State> = {
  name: 'model-deletion',
  state: State,
  keyed_by: { field: 'model_id', types: new Set(['ModelDeleted']) },
  react: (state, event) => {
    if (state || event.type !== 'ModelDeleted') return null;
    const { artefact, local_path = null } = event.data;
    const object_key = artefact?.object_key ?? null;
    const removal = removeFiles({ object_key, local_path }, event.at);
    if (removal.length === 0) return null;
    return { state: { phase: 'removing', object_key }, intents: [...removal, end()] };
  },
};
