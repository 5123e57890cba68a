import { retryOnboarding } from '../../src/commands/model/retry-onboarding.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, later, made } from './given.ts';

const uploaded = fact('LocalModelUploaded');
const registered = fact('CloudModelRegistered');

describe('the onboarding of a model that failed', () => {
  const again = ({ data: { model_id, workflow_id } }: typeof uploaded | typeof registered) => ({
    model_id,
    workflow_id,
  });
  const failed = (kept: boolean) => fact('ModelOnboardingFailed', kept ? { artefact_kept: true } : {});

  for (const [title, first] of Object.entries({ 'an uploaded': uploaded, 'a cloud': registered })) {
    it(`is tried again with what is known of ${title} model`, () => {
      const { workflow_id, deadline: _deadline, ...described } = first.data;
      given(first, failed(true))
        .when(retryOnboarding, again(first))
        .then({
          type: first.type,
          data: { ...described, workflow_id: made('workflow'), deadline: later(600), retries: workflow_id },
        });
    });
  }

  it('is not tried again without its file, while it goes on, or after another workflow', () => {
    given(uploaded, failed(false)).when(retryOnboarding, again(uploaded)).thenRefused('workflow-not-retryable');
    given(uploaded).when(retryOnboarding, again(uploaded)).thenRefused('workflow-not-retryable');
    given(uploaded, failed(true))
      .when(retryOnboarding, { ...again(uploaded), workflow_id: newId(WorkflowId) })
      .thenRefused('workflow-not-retryable');
  });
});
