import { expect } from 'chai';
import { newId, TenantId, WorkflowId } from '../../src/events/ids.ts';
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
});
