import { definitionOf, type Fact, type Recorded, streamOf } from '../../src/events/catalog.ts';
import { Position } from '../../src/events/event.ts';
import { commandIdOf, eventIdOf, newId, TenantId, UserId } from '../../src/events/ids.ts';
import type { Intent, Process } from '../../src/processes/process.ts';

export const ids = {
  tenant_id: newId(TenantId),
  user_id: newId(UserId),
  workflow_id: '01890a5d-ac96-774b-bcce-b302099a8001',
  endpoint_id: '01890a5d-ac96-774b-bcce-b302099a8002',
  project_id: '01890a5d-ac96-774b-bcce-b302099a8003',
  model_id: '01890a5d-ac96-774b-bcce-b302099a8004',
  cluster_id: '01890a5d-ac96-774b-bcce-b302099a8005',
  other_cluster_id: '01890a5d-ac96-774b-bcce-b302099a8006',
};

export const AT = '2030-01-01T10:00:00.000Z';
export const DEADLINE_AT = '2030-01-01T10:15:00.000Z';

/** A type and its data, which the event's own schema completes and checks. */
export interface Happened {
  type: Fact['type'];
  data: object;
}

/** An event of the workflow of these tests, unless the data names another. */
export const happened = (type: Fact['type'], data: object = {}): Happened => ({ type, data });

export const stepSucceeded = (step: string) => happened('WorkflowStepSucceeded', { step, message: 'done' });
export const stepFailed = (step: string) =>
  happened('WorkflowStepFailed', { step, reason: { code: 'step-failed', message: `${step} failed.` } });
export const answered = (call: string, service_workflow_id: string | null, answer?: unknown) =>
  happened('WorkflowCallAnswered', { call, service_workflow_id, ...(answer === undefined ? {} : { answer }) });
/** With a status, the service refused the call; without one, no attempt was answered in time. */
export const callFailed = (call: string, status?: number) =>
  happened('WorkflowCallFailed', {
    ...{ call, attempts: 3 },
    ...(status === undefined
      ? { reason: { code: 'attempts-used-up', message: 'It did not answer.' } }
      : { reason: { code: 'call-refused', message: 'It said no.' }, status }),
  });
export const refused = (command: string, code = 'refused') =>
  happened('WorkflowCommandRefused', { command, reason: { code, message: 'The domain said no.' } });
export const resulted = (result_type: string, result: unknown) =>
  happened('WorkflowResultReceived', { result_type, result });
export const timerFired = (timer: string) => happened('WorkflowTimerFired', { timer });
export const cancelRequested = happened('WorkflowCancelRequested');
export const ignored = (message_type: string, message_event: string, result?: unknown) =>
  happened('WorkflowMessageIgnored', {
    message_id: 'message-1',
    message_type,
    message_event,
    status: 'COMPLETED',
    why: { code: 'workflow-finished', message: 'The workflow has ended.' },
    ...(result === undefined ? {} : { result }),
  });

const record = ({ type, data }: Happened, index: number): Recorded => {
  const definition = definitionOf(type);
  const stream = streamOf('workflow', ids.workflow_id);
  const command_id = commandIdOf(`test ${index}`);
  return {
    id: eventIdOf(command_id, stream, index),
    type,
    version: definition.version,
    data: definition.data.parse({ workflow_id: ids.workflow_id, ...data }),
    stream,
    revision: index,
    position: Position.parse(String(index).padStart(16, '0')),
    at: AT,
    meta: {
      tenant_id: ids.tenant_id,
      command_id,
      command: 'Test',
      correlation_id: ids.workflow_id,
      causation_id: null,
      actor: { type: 'user', id: ids.user_id, name: 'somebody' },
    },
  } as Recorded;
};

/** One word or two an intent: `StartWorkflow`, `call cluster.deploy`, `timer deadline`, `end`. */
export const nameOf = (intent: Intent): string => {
  switch (intent.kind) {
    case 'command':
      return intent.command;
    case 'call':
      return `call ${intent.call}`;
    case 'timer':
    case 'cancel-timer':
      return `${intent.kind} ${intent.timer}`;
    case 'remove-object':
      return `remove ${intent.key}`;
    default:
      return intent.kind;
  }
};

/** What the last event of a history made a process ask for; null: it meant nothing. States pass through JSON in between. */
export const given = <State>(manager: Process<State>, ...history: readonly Happened[]) =>
  follow(manager, null, history);

/** The same, from a state that is in the database already. */
export const goOnFrom = <State>(manager: Process<State>, stored: unknown, ...history: readonly Happened[]) =>
  follow(manager, manager.state.parse(stored), history);

const follow = <State>(manager: Process<State>, first: State | null, history: readonly Happened[]) => {
  let state = first;
  let last: readonly Intent[] | null = null;
  let ended = false;
  for (const [index, event] of history.entries()) {
    last = null;
    if (ended) continue;
    const reaction = manager.react(state, record(event, index));
    if (!reaction) continue;
    state = manager.state.parse(JSON.parse(JSON.stringify(reaction.state)));
    last = reaction.intents;
    ended = last.some(({ kind }) => kind === 'end');
  }
  const intents: readonly Intent[] = last ?? [];
  return {
    state,
    ended,
    intents,
    names: last?.map(nameOf) ?? null,
    commandData: (command: string): unknown =>
      intents.flatMap((intent) => (intent.kind === 'command' && intent.command === command ? [intent.data] : []))[0],
    callInput: (call: string): unknown =>
      intents.flatMap((intent) => (intent.kind === 'call' && intent.call === call ? [intent.input] : []))[0],
  };
};
