import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { streamOf } from '../../../src/events/catalog.ts';
import { UserId, WorkflowId } from '../../../src/events/ids.ts';
import { anEvent } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';
import { startSecondProcess } from './second-process.ts';

/** The API without processes: the test starts the workflows, later than any process would. */
describe('the workflows that answers have named', () => {
  let first: RunningApi;
  let second: Awaited<ReturnType<typeof startSecondProcess>>;
  let user_id: UserId;
  before(async () => {
    first = await startApi();
    second = await startSecondProcess(first);
    user_id = UserId.parse((await first.admin.get('/auth/me')).body.user_id);
  });
  after(async () => {
    await second.close();
    await first.close();
  });

  const register = async (name: string): Promise<string> => {
    const { status, body } = await first.admin.post('/clusters', { name, configuration: 'any' });
    expect(status).to.equal(202);
    return body.workflow_id;
  };
  const listed = ({ body }: Reply): string[] => body.items.map(({ id }: { id: string }) => id);
  const start = async (id: string): Promise<void> => {
    const workflow_id = WorkflowId.parse(id);
    const data = {
      workflow_id,
      kind: 'cluster-onboarding' as const,
      target: { area: 'cluster' as const, id: v7(), name: 'any' },
      project_id: null,
      user_id,
      steps: [{ id: 'register_cluster', title: 'Register' }],
      deadline: '2100-01-01T00:00:00.000Z',
    };
    const event = anEvent({ type: 'WorkflowStarted', data }, { tenant_id: TENANT });
    await first.services.log.append(streamOf('workflow', workflow_id), [event], { expected: 'none' });
  };

  it('are in the list, in the process that answered and in another one', async () => {
    const promised = await register('one');
    const lists = Promise.all([first, second].map(({ admin }) => admin.get('/workflows')));
    await delay(300);
    await start(promised);
    for (const list of await lists) expect(listed(list)).to.deep.equal([promised]);
  });

  it('do not keep others waiting, nor for ever', async () => {
    const promised = await register('two');
    const other = first.as({ email: 'bob@example.org', role: 'admin' });
    const asked = performance.now();
    let isAnswered = false;
    const own = first.admin.get('/workflows').finally(() => {
      isAnswered = true;
    });
    expect((await other.get('/workflows')).status).to.equal(200);
    expect(isAnswered).to.equal(false);
    expect((await own).status).to.equal(200);
    expect(performance.now() - asked).to.be.greaterThan(1000);
    await start(promised);
    expect(listed(await first.admin.get('/workflows'))).to.include(promised);
  });
});
