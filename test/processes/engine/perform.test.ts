import { expect } from 'chai';
import type { AnyCommand } from '../../../src/commands/command.ts';
import type { Request } from '../../../src/commands/engine/handle.ts';
import { notFound, Rejected, rejected } from '../../../src/errors.ts';
import { EventId, newId, TenantId, WorkflowId } from '../../../src/events/ids.ts';
import type { Sealed } from '../../../src/events/sealed.ts';
import { ServiceFailure } from '../../../src/ports/service-invoker.ts';
import type { ClaimedIntent } from '../../../src/processes/engine/intent-queue.ts';
import { createPerformer } from '../../../src/processes/engine/perform.ts';
import type { Effect } from '../../../src/processes/process.ts';

const SECRET = 'token: very-secret';
const sealed = 'sealed:1:subject:aXY:dGFn:dGV4dA' as Sealed;

const claimed = (intent: Effect): ClaimedIntent => ({
  id: '1',
  process: 'cluster-onboarding',
  instance_id: '01890a5d-ac96-774b-bcce-b302099a8001',
  tenant_id: newId(TenantId),
  workflow_id: newId(WorkflowId),
  event_id: newId(EventId),
  n: 2,
  lane: 'deeds',
  intent,
  meta: { correlation_id: '01890a5d-ac96-774b-bcce-b302099a8001' },
  give_up_at: null,
  attempts: 0,
  last_error: null,
  expired: false,
  skipped: false,
});

const registration = claimed({
  kind: 'call',
  call: 'cluster.register',
  give_up_at: '2030-01-01T00:00:00.000Z',
  input: {
    cluster_create_request: {
      enable_master_node: true,
      name: 'local',
      ingress_url: '',
      cluster_type: 'ON_PREM',
      notification_metadata: { name: 'bud-internal', subscriber_ids: 'user', workflow_id: 'workflow' },
      source_topic: 'budAppMessages',
    },
    configuration: sealed,
  },
});

interface Scene {
  invoke?: (request: unknown) => Promise<unknown>;
  refuse?: (command: string) => Rejected | null;
  opens?: string | null;
}

/** A performer whose commands, calls and secrets are listed instead of performed. */
const scene = ({ invoke = async () => ({}), refuse = () => null, opens = SECRET }: Scene) => {
  const handled: { command: string; data: unknown; request: Request }[] = [];
  const performer = createPerformer({
    handle: async (command: AnyCommand, data, request) => {
      const refusal = refuse(command.type);
      if (refusal) throw refusal;
      handled.push({ command: command.type, data, request });
      return { area: '', id: '', state: null, revision: 0, position: null, events: [], repeated: false };
    },
    invoker: { invoke },
    vault: { open: async () => opens, sealer: async () => () => sealed, erase: async () => {} },
    objects: { remove: async () => {} },
    findClustersByBudId: async () => [],
  });
  return { performer, handled };
};

const release = claimed({ kind: 'command', command: 'CompleteWorkflow', data: { workflow_id: 'w' } });

describe('performing an intent', () => {
  it('opens sealed text only for the call', async () => {
    const requests: unknown[] = [];
    const invoke = async (request: unknown) => {
      requests.push(request);
      return { workflow_id: 'theirs' };
    };
    const { performer, handled } = scene({ invoke });
    expect(await performer.attempt(registration)).to.deep.equal({ done: 'answered' });
    expect(requests[0]).to.have.nested.property('multipart.configuration.value', SECRET);
    expect(JSON.stringify(handled)).not.to.contain(SECRET);
    expect(handled[0]?.data).to.include({ call: 'cluster.register', service_workflow_id: 'theirs' });
  });

  it('repeats not a word of a service that may quote a secret', async () => {
    for (const error of [
      new ServiceFailure(`refused: ${SECRET}`, { retryable: false, status: 422 }),
      new ServiceFailure(`busy: ${SECRET}`, { retryable: true, status: 503 }),
      new Error(`broken: ${SECRET}`),
    ]) {
      const { performer, handled } = scene({ invoke: () => Promise.reject(error) });
      const attempt = await performer.attempt(registration);
      expect(JSON.stringify([attempt, handled])).not.to.contain('very-secret');
    }
  });

  it('does not call where the secret has been erased', async () => {
    const { performer, handled } = scene({ opens: null, invoke: () => Promise.reject(new Error('called')) });
    await performer.attempt(registration);
    expect(handled[0]?.command).to.equal('RecordCallFailure');
    expect(handled[0]?.data).to.have.nested.property('reason.code', 'secret-erased');
  });

  it('records an answer that breaks the contract as a failure', async () => {
    const { performer, handled } = scene({ invoke: async () => ({ nonsense: true }) });
    await performer.attempt(registration);
    expect(handled[0]?.data).to.have.nested.property('reason.code', 'contract-broken');
  });

  it('records an answer that is too large for the log as a failure', async () => {
    const large = new Rejected('too-large', 'append-too-large', 'The append is too large for the log.');
    const refuse = (command: string) => (command === 'RecordCallAnswer' ? large : null);
    const { performer, handled } = scene({ invoke: async () => ({ workflow_id: 'theirs' }), refuse });
    expect(await performer.attempt(registration)).to.deep.equal({ done: 'failed: answer-too-large' });
    expect(handled[0]?.data).to.have.nested.property('reason.code', 'answer-too-large');
  });

  it('tells the workflow what the domain refused', async () => {
    const full = rejected('cluster-full', 'There is no room.');
    const { performer, handled } = scene({ refuse: (command) => (command === 'CompleteWorkflow' ? full : null) });
    expect(await performer.attempt(release)).to.deep.equal({ done: 'refused: cluster-full' });
    expect(handled[0]).to.deep.include({ command: 'RecordCommandRefusal' });
    expect(handled[0]?.data).to.deep.include({ reason: { code: 'cluster-full', message: 'There is no room.' } });
  });

  it('takes neither an unreachable log nor a crowd on one stream, nor a workflow to come, for a refusal', async () => {
    const away = new Rejected('unavailable', 'log-unavailable', 'The log is away.');
    const crowd = rejected('concurrent-change', 'Others keep changing this.');
    const early = notFound('workflow', 'w');
    for (const [refusal, retryable] of [
      [early, 'until-given-up'],
      [away, 'until-given-up'],
      [crowd, 'until-given-up'],
    ] as const) {
      const { performer, handled } = scene({ refuse: (command) => (command === 'CompleteWorkflow' ? refusal : null) });
      expect(await performer.attempt(release)).to.include({ retryable });
      expect(handled).to.deep.equal([]);
    }
  });

  it('asks with the same command id at every attempt, and with another for each intent', async () => {
    const { performer, handled } = scene({});
    await performer.attempt(release);
    await performer.attempt(release);
    await performer.attempt({ ...release, n: 3 });
    const [first, again, other] = handled.map(({ request }) => request.command_id);
    expect(first).to.equal(again);
    expect(other).not.to.equal(first);
  });
});
