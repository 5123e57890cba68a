import { cancelWorkflow } from '../../src/commands/workflow/cancel-workflow.ts';
import { recordServiceMessage } from '../../src/commands/workflow/internal/record-service-message.ts';
import { startWorkflowStep } from '../../src/commands/workflow/internal/start-workflow-step.ts';
import { fact } from './fixture.ts';
import { aPerson, given } from './given.ts';

const started = fact('WorkflowStarted');
const { workflow_id } = started.data;
const said = (message_event: string, status: string, more = {}) => ({
  workflow_id,
  message_id: 'm',
  message_type: 'deploy_model',
  message_event,
  status,
  ...more,
});
const IGNORED = 'WorkflowMessageIgnored' as const;
const succeeded = fact('WorkflowStepSucceeded');

describe('workflow commands', () => {
  it('take a step through its states as the service reports them', () => {
    given(started).when(recordServiceMessage, said('ranking', 'STARTED')).then({ type: 'WorkflowStepStarted' });
    given(started, fact('WorkflowStepStarted')).when(recordServiceMessage, said('ranking', 'RUNNING')).thenNothing();
    given(started).when(recordServiceMessage, said('ranking', 'COMPLETED')).then({ type: 'WorkflowStepSucceeded' });
    given(started).when(recordServiceMessage, said('ranking', 'FAILED')).then({ type: 'WorkflowStepFailed' });
  });

  it('ignore, but keep, what comes late, twice or unknown', () => {
    const finished = [started, succeeded, fact('WorkflowSucceeded')];
    const type = IGNORED;
    const late = given(started, succeeded).when(recordServiceMessage, said('ranking', 'STARTED'));
    late.then({
      type,
      data: { why: { code: 'step-finished', message: 'The step ranking is over: it is succeeded.' } },
    });
    given(started).when(recordServiceMessage, said('dancing', 'STARTED')).then({ type });
    given(...finished)
      .when(recordServiceMessage, said('results', 'COMPLETED', { result: { a: 1 } }))
      .then({ type, data: { result: { a: 1 } } });
    const again = given(started, fact('WorkflowResultReceived')).when(
      recordServiceMessage,
      said('results', 'COMPLETED', { result: { a: 1 } }),
    );
    again.then({
      type,
      data: { why: { code: 'repeated-results', message: 'These results have been received before.' } },
    });
  });

  it('accept results, and an empty one as a failure of the running step', () => {
    given(started)
      .when(recordServiceMessage, said('results', 'COMPLETED', { result: { a: 1 } }))
      .then({ type: 'WorkflowResultReceived' });
    given(started)
      .when(recordServiceMessage, said('results', 'COMPLETED', { result: null }))
      .then({ type: 'WorkflowStepFailed', data: { step: 'ranking' } });
    const deleted = { ...said('results', 'COMPLETED'), message_type: 'delete_deployment' };
    given(started).when(recordServiceMessage, deleted).then({ type: 'WorkflowResultReceived' });
  });

  it('read the estimate', () => {
    given(started)
      .when(recordServiceMessage, said('eta', '', { text: '14' }))
      .then({ type: 'WorkflowEtaReported', data: { eta_minutes: 14 } });
    given(started)
      .when(recordServiceMessage, said('eta', '', { text: 'soon' }))
      .then({ type: 'WorkflowMessageIgnored' });
  });

  it('start a step once', () => {
    const start = { workflow_id, step: 'ranking', message: '', deadline: started.data.deadline };
    given(started).when(startWorkflowStep, start).then({ type: 'WorkflowStepStarted' });
    given(started, succeeded).when(startWorkflowStep, start).thenNothing();
  });

  it('are cancelled while they run', () => {
    const admin = aPerson({ role: 'admin' });
    given(started).by(admin).when(cancelWorkflow, { workflow_id }).then({ type: 'WorkflowCancelRequested' });
    given(started, fact('WorkflowCancelRequested')).by(admin).when(cancelWorkflow, { workflow_id }).thenNothing();
    given(started, fact('WorkflowFailed'))
      .by(admin)
      .when(cancelWorkflow, { workflow_id })
      .thenRefused('workflow-finished');
  });
});
