import { z } from 'zod';
import { after, end, type Process, removeObject } from '../process.ts';

const State = z.object({ phase: z.literal('removing'), object_key: z.string() });
type State = z.output<typeof State>;

const REMOVAL_SECONDS = 24 * 3600;

/** (deleted) -> the uploaded file is removed. Instances are keyed by the model, since its deletion is no workflow. */
export const modelDeletion: Process<State> = {
  name: 'model-deletion',
  state: State,
  keyed_by: { field: 'model_id', types: new Set(['ModelDeleted']) },
  react: (state, event) => {
    if (state || event.type !== 'ModelDeleted' || !event.data.artefact) return null;
    const { object_key } = event.data.artefact;
    const give_up_at = after(event.at, REMOVAL_SECONDS);
    return { state: { phase: 'removing', object_key }, intents: [removeObject(object_key, { give_up_at }), end()] };
  },
};
