import { z } from 'zod';
import { failModelOnboarding } from '../../commands/model/internal/fail-model-onboarding.ts';
import { recordModelMetadata } from '../../commands/model/internal/record-model-metadata.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { CloudModelAnswer, type ModelInfo } from '../../contracts/budmodel.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ModelId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf, failed } from '../abort.ts';
import {
  abandonCalls,
  after,
  ask,
  call,
  end,
  type Intent,
  type Process,
  type Reaction,
  removeObject,
} from '../process.ts';
import { begin, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';
import { toModelMetadata } from './model-metadata.ts';

const State = z.object({
  phase: z.enum(['extracting', 'recording']),
  workflow_id: WorkflowId,
  model_id: ModelId,
  /** The uploaded file, which is removed when the onboarding fails; null: a cloud model. */
  object_key: z.string().nullable(),
});
type State = z.output<typeof State>;
type Requested = Extract<Recorded, { type: 'LocalModelUploaded' | 'CloudModelRegistered' }>;

const LOCAL_STEPS = {
  validation: 'Check the file',
  model_download: 'Download the file',
  model_extraction: 'Read the metadata of the model',
  save_model: 'Save the model',
};
const CLOUD_STEP = 'extract_cloud_model';
const CLOUD_STEPS = { [CLOUD_STEP]: 'Ask the provider about the model' };
const REMOVAL_SECONDS = 24 * 3600;

/**
 *     (requested) -> extracting -> recording -> (active)
 *                        |             '--refused--.
 *                        '--failed, late, cancelled--> (failed, the uploaded file removed)
 */
export const createModelOnboarding = ({ objectUri }: { objectUri: (key: string) => string }): Process<State> => {
  const start = (event: Requested): Reaction<State> => {
    const { workflow_id, model_id, name, deadline } = event.data;
    const user_id = requesterOf(event);
    const workflow = { workflow_id, user_id, project_id: null, deadline };
    const target = { area: 'model', id: model_id, name } as const;
    const kind = 'model-onboarding';
    if (event.type === 'CloudModelRegistered') {
      return {
        state: { phase: 'extracting', workflow_id, model_id, object_key: null },
        intents: [
          ...begin({ ...workflow, kind, target, steps: CLOUD_STEPS }),
          ask(startWorkflowStep, { workflow_id, step: CLOUD_STEP, message: CLOUD_STEPS[CLOUD_STEP], deadline }),
          call('model.extract-cloud', { model_uri: event.data.repo_id }, { give_up_at: deadline }),
        ],
      };
    }
    const { object_key } = event.data.artefact;
    return {
      state: { phase: 'extracting', workflow_id, model_id, object_key },
      intents: [
        ...begin({ ...workflow, kind, target, steps: LOCAL_STEPS }),
        call(
          'model.extract',
          {
            model_name: name,
            model_uri: objectUri(object_key),
            provider_type: 'disk',
            ...reportTo(workflow_id, user_id),
          },
          { give_up_at: deadline },
        ),
      ],
    };
  };

  return { name: 'model-onboarding', state: State, react: (state, event) => react(state, event, start) };
};

const react = (
  state: State | null,
  event: Recorded,
  start: (event: Requested) => Reaction<State>,
): Reaction<State> | null => {
  if (!state) {
    return event.type === 'LocalModelUploaded' || event.type === 'CloudModelRegistered' ? start(event) : null;
  }
  const { workflow_id } = state;
  if (state.phase === 'recording') {
    if (event.type === 'ModelMetadataRecorded') return { state, intents: [succeed(workflow_id), end()] };
    if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordModelMetadata.type) return null;
    return giveUp(state, event, { reason: event.data.reason, ending: 'failed' });
  }
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'perform_model_extraction') {
    const result = parseResult('perform_model_extraction', event.data.result);
    return result ? recordMetadata(state, result.model_info, []) : giveUp(state, event, UNREADABLE);
  }
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'model.extract-cloud') {
    const answer = CloudModelAnswer.safeParse(event.data.answer);
    if (!answer.success) return giveUp(state, event, UNREADABLE);
    const message = 'The provider described the model';
    const done = ask(completeWorkflowStep, { workflow_id, step: CLOUD_STEP, message });
    return recordMetadata(state, answer.data.model_info, [done]);
  }
  const abort = abortOf(event);
  return abort ? giveUp(state, event, abort) : null;
};

const UNREADABLE = failed('extraction-failed', 'The model service could not read the model.');

const recordMetadata = (state: State, info: ModelInfo, before: Intent[]): Reaction<State> => ({
  state: { ...state, phase: 'recording' },
  intents: [...before, ask(recordModelMetadata, { model_id: state.model_id, metadata: toModelMetadata(info) })],
});

const giveUp = (state: State, event: Recorded, abort: Abort): Reaction<State> => {
  const { model_id, workflow_id, object_key } = state;
  const give_up_at = after(event.at, REMOVAL_SECONDS);
  return {
    state,
    intents: [
      abandonCalls(),
      ask(failModelOnboarding, { model_id, reason: abort.reason }),
      giveUpWorkflow(workflow_id, abort),
      ...(object_key === null ? [] : [removeObject(object_key, { give_up_at })]),
      end(),
    ],
  };
};
