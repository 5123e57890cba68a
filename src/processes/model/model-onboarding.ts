import { z } from 'zod';
import { failModelOnboarding } from '../../commands/model/internal/fail-model-onboarding.ts';
import { recordModelMetadata } from '../../commands/model/internal/record-model-metadata.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { CloudModelAnswer, type ModelInfo } from '../../contracts/budmodel.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ModelId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf, failed, SUPERSEDED } from '../abort.ts';
import { abandonCalls, ask, call, changeOf, end, type Intent, type Process, type Reaction } from '../process.ts';
import { begin, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';
import { removeFiles } from './model-files.ts';
import { toModelMetadata } from './model-metadata.ts';

const State = z.object({
  /** `over`: it was given up. A copy that the model service still makes is removed. */
  phase: z.enum(['extracting', 'recording', 'over']),
  workflow_id: WorkflowId,
  model_id: ModelId,
  /** The uploaded file; null: a cloud model. */
  object_key: z.string().nullable(),
  /** The model service's copy of it, once it is known. */
  local_path: z.string().optional(),
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
/**
 *     (requested) -> extracting -> recording -> (active)
 *                        |             '--refused--.
 *                        |--failed--> (failed, the uploaded file removed)
 *                        '--late, cancelled--> over: a copy that the service still makes is removed
 *
 * The uploaded file of an onboarding that failed because a service did not answer is kept for another attempt.
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

  return {
    name: 'model-onboarding',
    state: State,
    workflowOf: changeOf,
    react: (state, event) => react(state, event, start),
  };
};

const react = (
  state: State | null,
  event: Recorded,
  start: (event: Requested) => Reaction<State>,
): Reaction<State> | null => {
  if (!state) {
    return event.type === 'LocalModelUploaded' || event.type === 'CloudModelRegistered' ? start(event) : null;
  }
  switch (state.phase) {
    case 'extracting':
      return reactExtracting(state, event);
    case 'recording':
      return reactRecording(state, event);
    case 'over':
      return reactOver(state, event);
  }
};

const reactRecording = (state: State, event: Recorded): Reaction<State> | null => {
  if (event.type === 'ModelMetadataRecorded') return { state, intents: [succeed(state.workflow_id), end()] };
  if (event.type === 'ModelDeleted') return giveUp(state, event, SUPERSEDED);
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordModelMetadata.type) return null;
  return giveUp(state, event, { reason: event.data.reason, ending: 'failed' });
};

const reactExtracting = (state: State, event: Recorded): Reaction<State> | null => {
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'perform_model_extraction') {
    const result = parseResult('perform_model_extraction', event.data.result);
    if (!result) return giveUp(state, event, UNREADABLE);
    const local_path = result.local_path || undefined;
    return recordMetadata({ ...state, local_path }, result.model_info, []);
  }
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'model.extract-cloud') {
    const answer = CloudModelAnswer.safeParse(event.data.answer);
    if (!answer.success) return giveUp(state, event, UNREADABLE);
    const message = 'The provider described the model';
    const done = ask(completeWorkflowStep, { workflow_id: state.workflow_id, step: CLOUD_STEP, message });
    return recordMetadata(state, answer.data.model_info, [done]);
  }
  const abort = abortOf(event);
  return abort ? giveUp(state, event, abort) : null;
};

const UNREADABLE = failed('extraction-failed', 'The model service could not read the model.');

const recordMetadata = (state: State, info: ModelInfo, before: Intent[]): Reaction<State> => {
  const { model_id, local_path } = state;
  return {
    state: { ...state, phase: 'recording' },
    intents: [...before, ask(recordModelMetadata, { model_id, metadata: toModelMetadata(info), local_path })],
  };
};

/** The service that refused or failed by itself keeps nothing; one that was not waited for may still succeed. */
const mayStillCopy = ({ phase, object_key }: State, { type, data }: Recorded): boolean => {
  if (phase !== 'extracting' || object_key === null) return false;
  if (type === 'WorkflowCallFailed') return data.reason.code !== 'call-refused';
  return type !== 'WorkflowStepFailed' && type !== 'WorkflowResultReceived';
};

/** Whether no service has said that the file is of no use. */
const isOutage = ({ type, data }: Recorded): boolean =>
  type === 'WorkflowTimerFired' || (type === 'WorkflowCallFailed' && data.reason.code !== 'call-refused');

const giveUp = (state: State, event: Recorded, abort: Abort): Reaction<State> => {
  const { model_id, workflow_id, local_path = null } = state;
  const artefact_kept = state.object_key !== null && isOutage(event);
  const object_key = artefact_kept ? null : state.object_key;
  return {
    state: { ...state, phase: 'over' },
    intents: [
      abandonCalls(),
      ask(failModelOnboarding, { model_id, reason: abort.reason, ...(artefact_kept && { artefact_kept }) }),
      giveUpWorkflow(workflow_id, abort),
      ...removeFiles({ object_key, local_path }, event.at),
      ...(mayStillCopy(state, event) ? [] : [end()]),
    ],
  };
};

const reactOver = (state: State, event: Recorded): Reaction<State> | null => {
  if (event.type !== 'WorkflowMessageIgnored' || event.data.message_type !== 'perform_model_extraction') return null;
  const local_path = parseResult('perform_model_extraction', event.data.result)?.local_path || null;
  // A step that ended after the cancellation: the result is still to come.
  if (local_path === null) return null;
  return { state, intents: [...removeFiles({ object_key: null, local_path }, event.at), end()] };
};
