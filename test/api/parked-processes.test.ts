import { expect } from 'chai';
import { systemCaller } from '../../src/commands/access.ts';
import { startWorkflow } from '../../src/commands/workflow/internal/start-workflow.ts';
import { ClusterId, CommandId, EventId, newId, TenantId, UserId, WorkflowId } from '../../src/events/ids.ts';
import { eventually } from '../eventually.ts';
import { TENANT } from './fake-identity.ts';
import { type RunningApi, startApi } from './running-api.ts';

describe('a process that is stuck', () => {
  let api: RunningApi;
  const instance_id = newId(WorkflowId);
  const parked_id = `endpoint-deletion:${instance_id}`;

  before(async () => {
    api = await startApi();
    await park(instance_id, TENANT);
    await park(newId(WorkflowId), newId(TenantId));
  });
  after(() => api.close());

  /** No version knows such an event, so nothing can digest it. */
  const park = async (instance: string, tenant_id: string) => {
    const event = {
      ...{ id: newId(WorkflowId), stream: `workflow-${instance}`, revision: 0, position: '0000000000000001' },
      ...{ type: 'EndpointVanished', version: 1, data: { workflow_id: instance }, at: '2026-11-22T12:00:00.000Z' },
      meta: { tenant_id },
    };
    await api.services.pool.query(
      `insert into process_instances (process, instance_id, tenant_id, parked_at, park_error, park_attempts)
       values ('endpoint-deletion', $1, $2, now(), 'cannot digest that', 5)`,
      [instance, tenant_id],
    );
    await api.services.pool.query(
      `insert into process_parked_events (process, instance_id, position, event)
       values ('endpoint-deletion', $1, $2, $3)`,
      [instance, event.position, JSON.stringify(event)],
    );
  };

  it('is shown to the operators of its tenant', async () => {
    const { body } = await api.admin.get('/operations/parked');
    expect(body.items).to.have.length(1);
    expect(body.items[0]).to.include({
      ...{ kind: 'process', id: parked_id, process: 'endpoint-deletion', instance_id },
      ...{ event_type: 'EndpointVanished', error: 'cannot digest that', attempts: 5, waiting: 0 },
    });
  });

  it('stays parked when the retry fails', async () => {
    const { status, body } = await api.admin.post(`/operations/parked/${parked_id}/retry`, undefined);
    expect({ status, body }).to.deep.equal({ status: 200, body: { resumed: false } });
    const { body: list } = await api.admin.get('/operations/parked');
    expect(list.items[0]).to.include({ attempts: 6 });
    expect(list.items[0].error).to.contain('EndpointVanished');
  });

  it('goes on when the event is skipped, once', async () => {
    const skip = () => api.admin.post(`/operations/parked/${parked_id}/skip`, undefined);
    expect((await skip()).body).to.deep.equal({ resumed: true });
    expect((await api.admin.get('/operations/parked')).body.items).to.deep.equal([]);
    expect((await skip()).status).to.equal(404);
  });

  it('is not found under an id that cannot be one', async () => {
    expect((await api.admin.post('/operations/parked/nobody:x/skip', undefined)).status).to.equal(404);
  });

  describe('and has work that keeps failing', () => {
    const workflow_id = newId(WorkflowId);
    let id: string;

    before(async () => {
      const target = { area: 'cluster', id: newId(ClusterId), name: 'east' } as const;
      const steps = [{ id: 'only', title: 'Only' }];
      const kind = 'cluster-onboarding';
      const workflow = { workflow_id, kind, target, project_id: null, user_id: newId(UserId), steps } as const;
      const command_id = newId(CommandId);
      await api.services.handle(
        startWorkflow,
        { ...workflow, deadline: '2099-01-01T00:00:00.000Z' },
        {
          caller: systemCaller(TenantId.parse(TENANT), { type: 'process', id: 'cluster-onboarding', name: 'x' }),
          command_id,
          correlation_id: command_id,
        },
      );
      id = await parkWork({ kind: 'call', call: 'cluster.register', give_up_at: '2099-01-01T00:00:00.000Z', input });
      await parkWork({ kind: 'remove-object', key: 'models/theirs', give_up_at: '2099-01-01T00:00:00.000Z' }, OTHER);
    });

    const OTHER = newId(TenantId);
    const input = {
      cluster_create_request: {
        ...{ enable_master_node: true, name: 'east', ingress_url: 'http://old', cluster_type: 'ON_PREM' },
        notification_metadata: { name: 'bud-internal', subscriber_ids: 'user', workflow_id: 'workflow' },
        source_topic: 'budAppMessages',
      },
      configuration: 'sealed:1:subject:aXY:dGFn:dGV4dA',
    };

    const parkWork = async (intent: object, tenant_id: string = TENANT): Promise<string> => {
      const { rows } = await api.services.pool.query<{ id: string }>(
        `insert into process_intents (process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta,
           attempts, last_error, parked_at, give_up_at, due_at, failures)
         values ('cluster-onboarding', $1, $2, $1, $3, 1, 'deeds', $4, '{}', 8, 'it broke', now(), '2099-01-01',
           '2099-01-01', '[{ "at": "2026-11-22T12:00:00Z", "error": "it broke" }]') returning id::text`,
        [tenant_id === TENANT ? workflow_id : newId(WorkflowId), tenant_id, newId(EventId), JSON.stringify(intent)],
      );
      return `work-${rows[0]?.id}`;
    };
    const list = async () => (await api.admin.get('/operations/parked')).body.items;
    const stored = async () =>
      (await api.services.pool.query('select * from process_intents where tenant_id = $1', [TENANT])).rows[0];

    it('shows it to the operators of its tenant, without its secrets', async () => {
      expect(await list()).to.have.length(1);
      expect((await list())[0]).to.deep.include({
        ...{ kind: 'work', id, work: 'cluster.register', error: 'it broke', attempts: 8, waiting: 0 },
        request: { ...input, configuration: '(sealed)' },
      });
      expect((await api.admin.get('/health/ready')).body.processes).to.include({ parked_intents: 2 });
      expect((await api.admin.get('/metrics')).body).to.contain('budapp_process_parked_intents 2');
    });

    it('refuses a change that breaks the contract, of a secret, or of no field', async () => {
      const change = (changes: object) => api.admin.call('PATCH', `/operations/parked/${id}`, { changes });
      const request = input.cluster_create_request;
      const broken = await change({ cluster_create_request: { ...request, cluster_type: 'MOON' } });
      expect({ status: broken.status, code: broken.body.code }).to.deep.equal({ status: 422, code: 'invalid-input' });
      expect((await change({ configuration: 'mine' })).body.code).to.equal('sealed-field');
      expect((await change({ colour: 'red' })).body.code).to.equal('unknown-field');
      expect(await list()).to.have.length(1);
    });

    it('attempts it again with a changed request, and the audit log tells who changed it', async () => {
      const cluster_create_request = { ...input.cluster_create_request, ingress_url: 'http://new' };
      const changed = await api.admin.call('PATCH', `/operations/parked/${id}`, {
        changes: { cluster_create_request },
      });
      expect(changed).to.deep.include({ status: 200, body: { resumed: true } });
      const row = await stored();
      expect(row).to.deep.include({ parked_at: null, attempts: 0 });
      expect(row.intent.input).to.deep.equal({ ...input, cluster_create_request });
      const fact = await eventually('the audit log has it', async () => {
        const { body } = await api.admin.get(`/audit/workflow/${workflow_id}`);
        return body.items?.find(({ event_type }: { event_type: string }) => event_type === 'WorkflowParkedWorkResumed');
      });
      expect(fact.data).to.deep.include({ work: 'cluster.register', action: 'retry' });
      expect(fact.actor_type).to.equal('user');
      expect((await api.admin.post(`/operations/parked/${id}/retry`, undefined)).status).to.equal(404);
    });
  });
});
