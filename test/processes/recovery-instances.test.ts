import { expect } from 'chai';
import type { Caller } from '../../src/commands/access.ts';
import { findCommand } from '../../src/commands/catalog.ts';
import { definitionOf, type Fact, type Recorded, streamOf, toFact } from '../../src/events/catalog.ts';
import {
  ClusterId,
  CommandId,
  EndpointId,
  EventId,
  newId,
  ProjectId,
  TenantId,
  UserId,
  WorkflowId,
} from '../../src/events/ids.ts';
import type { WorkflowTarget } from '../../src/events/workflow-events.ts';
import { fact } from '../commands/fixture.ts';
import { eventually } from '../eventually.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { openServiceDouble, type ServiceDouble } from './service-double.ts';
import { openSystem, type System } from './system.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);
const deadline = '2100-01-01T00:00:00.000Z';
const aService: Caller = {
  tenant_id,
  actor: { type: 'service', id: 'budcluster', name: 'budcluster' },
  access: 'system',
  user_id: null,
};
const counts = (available: number) => ({ total: 2, available, failed: 2 - available, pending: 0 });

type EventOf<Type extends Fact['type']> = Extract<Recorded, { type: Type }>;

describe('the instances of recoveries', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let system: System;
  let running: string[] = [];
  const runners: { close(): Promise<void> }[] = [];

  beforeEach(async () => {
    database = await testDatabase();
    service = await openServiceDouble();
    system = await openSystem({ connection_string: database.connection_string, url: service.url });
    running = ['w1'];
    service.answer = ({ path }) => {
      if (path.endsWith('/health')) return { status: 200, body: { status: 'available' } };
      if (path.endsWith('/nodes')) return { status: 200, body: { nodes: [] } };
      return { status: 200, body: { workers: running.map((id) => ({ id, name: id, status: 'Running' })) } };
    };
  });
  afterEach(async () => {
    for (const runner of runners.splice(0)) await runner.close();
    await service.close();
    await system.close();
    await database.close();
  });

  const start = (owner: string) => {
    const runner = system.run(owner);
    runners.push(runner);
    return runner;
  };

  /** Appends facts as their person would have made them; a version from the future is taken as it is. */
  const append = async (
    stream: string,
    facts: readonly (Fact & { version?: number })[],
  ): Promise<readonly EventId[]> => {
    const events = facts.map(({ type, data, version = definitionOf(type).version }) => {
      const command_id = newId(CommandId);
      const actor = { type: 'user', id: user_id, name: 'somebody' } as const;
      const asked = { command_id, command: 'Test', correlation_id: newId(CommandId), causation_id: null };
      return { id: newId(EventId), type, version, data, meta: { tenant_id, ...asked, actor } };
    });
    await system.log.append(stream, events, { expected: 'any' });
    return events.map(({ id }) => id);
  };

  /** The first event that fits, also one that is still to come. */
  const until = async <Type extends Fact['type']>(
    type: Type,
    where: (event: EventOf<Type>) => boolean = () => true,
  ): Promise<EventOf<Type>> => {
    for await (const item of system.log.subscribe({ after: 'start', live: true })) {
      if ('caughtUp' in item || item.type !== type || item.version !== 1) continue;
      const event = toFact(item) as EventOf<Type>;
      if (where(event)) return event;
    }
    throw new Error('the log ended');
  };
  const ofWorkflow = (workflow_id: string) => (event: { stream: string }) => event.stream === `workflow-${workflow_id}`;

  const tell = async (type: string, data: object) => {
    const command = findCommand(type);
    if (!command) throw new Error(`no command ${type}`);
    const command_id = newId(CommandId);
    await system.handle(command, data, { caller: aService, command_id, correlation_id: command_id });
  };
  const report = (endpoint_id: string, available: number) =>
    tell('RecordEndpointReport', {
      ...{ endpoint_id, status: 'unknown', replicas: counts(available), ingress_healthy: true, workers: [] },
    });

  const fire = (timer: string, workflow_id: string) =>
    system.pool.query('update process_timers set due_at = now() where timer = $1 and instance_id = $2', [
      timer,
      workflow_id,
    ]);
  const instancesOf = async (process: string) => {
    const { rows } = await system.pool.query(
      `select instance_id, workflow_id, ended_at is not null as ended from process_instances
       where process = $1 order by ended_at nulls last`,
      [process],
    );
    return rows;
  };
  /** The recoveries that were begun, as often as they were. */
  const begun = async () => {
    const ids: string[] = [];
    for await (const item of system.log.subscribe({ after: 'start', live: false })) {
      const event = 'caughtUp' in item ? null : toFact(item);
      if (event?.type === 'WorkflowStarted' && event.data.kind === 'endpoint-recovery')
        ids.push(event.data.workflow_id);
    }
    return ids;
  };

  /** An endpoint that runs. */
  const anEndpoint = async () => {
    const endpoint_id = newId(EndpointId);
    const project_id = newId(ProjectId);
    await append(streamOf('endpoint', endpoint_id), [
      fact('EndpointRequested', { endpoint_id, project_id }),
      fact('EndpointPlaced', { endpoint_id }),
      fact('EndpointDeployed', { endpoint_id }),
    ]);
    return { endpoint_id, project_id };
  };

  /** What an earlier version left in log and database while a recovery went on in an instance of its own. */
  const underWay = async (
    process: 'endpoint-recovery' | 'cluster-recovery',
    {
      target,
      fact: degraded,
      state,
    }: { target: WorkflowTarget; fact: Fact; state: { workflow_id: WorkflowId } & Record<string, unknown> },
  ) => {
    const { workflow_id } = state;
    const [event_id] = await append(streamOf(target.area, target.id), [degraded]);
    await append(streamOf('workflow', workflow_id), [
      fact('WorkflowStarted', {
        ...{ workflow_id, kind: process, target, user_id, deadline, steps: [{ id: 'wait', title: 'Wait' }] },
      }),
    ]);
    const head = await system.log.head();
    await system.pool.query(
      'insert into process_instances (process, instance_id, tenant_id, state, position) values ($1, $2, $3, $4, $5)',
      [process, workflow_id, tenant_id, JSON.stringify(state), head],
    );
    await system.pool.query(
      `insert into process_timers (process, instance_id, timer, tenant_id, event_id, n, meta, due_at)
       values ($1, $2, 'deadline', $3, $4, 1, $5, $6), ($1, $2, 'check', $3, $4, 3, $5, $6)`,
      [process, workflow_id, tenant_id, event_id, JSON.stringify({ correlation_id: newId(CommandId) }), deadline],
    );
    await system.pool.query(
      `insert into process_checkpoints (reader, position) values ('processes', $1)
       on conflict (reader) do update set position = excluded.position`,
      [head],
    );
    return workflow_id;
  };

  const degradedBefore = async (endpoint = anEndpoint()) => {
    const { endpoint_id, project_id } = await endpoint;
    const workflow_id = newId(WorkflowId);
    const cause = 'replicas-missing';
    const where = { bud_cluster_id: 'bud-1', namespace: 'bud-chat-1a2b' };
    const recovery = { workflow_id, project_id, user_id, name: 'chat', ...where, cause };
    await underWay('endpoint-recovery', {
      target: { area: 'endpoint', id: endpoint_id, name: 'chat' },
      fact: fact('EndpointDegraded', { endpoint_id, replicas: counts(1), deadline, recovery }),
      state: { workflow_id, endpoint_id, ...where, cause, deadline },
    });
    return { endpoint_id, workflow_id };
  };

  describe('that were under way at the upgrade', () => {
    it('end with their recovery; the next one belongs to the endpoint, and a replay begins none of them again', async () => {
      const { endpoint_id, workflow_id } = await degradedBefore();
      const first = start('a');
      running = ['w1', 'w2'];
      await fire('check', workflow_id);
      expect((await until('EndpointRecovered')).data.recovery_id).to.equal(workflow_id);
      await until('WorkflowSucceeded', ofWorkflow(workflow_id));
      await first.close();

      await system.pool.query('delete from process_checkpoints');
      start('b');
      running = ['w1'];
      await report(endpoint_id, 1);
      const { data } = await until('EndpointDegraded', (event) => event.data.recovery?.workflow_id !== workflow_id);
      const next = data.recovery?.workflow_id ?? 'none';
      await until('WorkflowStepStarted', ofWorkflow(next));
      expect(await instancesOf('endpoint-recovery')).to.deep.equal([
        { instance_id: workflow_id, workflow_id: null, ended: true },
        { instance_id: endpoint_id, workflow_id: next, ended: false },
      ]);
      expect(await begun()).to.deep.equal([workflow_id, next]);
    });

    it('fail where they are overdue, and one recovery follows, of the endpoint', async () => {
      const { endpoint_id, workflow_id } = await degradedBefore();
      start('a');
      await fire('deadline', workflow_id);
      const { data } = await until('EndpointRecoveryOverdue');
      const next = data.recovery?.workflow_id ?? 'none';
      expect((await until('WorkflowFailed', ofWorkflow(workflow_id))).data.reason.code).to.equal('recovery-overdue');
      await until('WorkflowStepStarted', ofWorkflow(next));
      expect(await instancesOf('endpoint-recovery')).to.deep.equal([
        { instance_id: workflow_id, workflow_id: null, ended: true },
        { instance_id: endpoint_id, workflow_id: next, ended: false },
      ]);
      const { rows } = await system.pool.query('select distinct instance_id from process_timers');
      expect(rows).to.deep.equal([{ instance_id: next }]);
    });

    it('end in their own instances although the endpoint has one, which a roll-back left behind', async () => {
      const first = start('a');
      const endpoint = await anEndpoint();
      while ((await instancesOf('endpoint-recovery')).length === 0) await new Promise(setImmediate);
      await first.close();
      const { workflow_id } = await degradedBefore(Promise.resolve(endpoint));
      start('b');
      running = ['w1', 'w2'];
      await fire('check', workflow_id);
      await until('WorkflowSucceeded', ofWorkflow(workflow_id));
      expect(await begun()).to.deep.equal([workflow_id]);
    });

    it('give way to what is to be deleted', async () => {
      const { endpoint_id, workflow_id } = await degradedBefore();
      start('a');
      await tell('DeleteEndpoint', { endpoint_id });
      expect((await until('WorkflowCancelled', ofWorkflow(workflow_id))).data.reason.code).to.equal('superseded');
      const [instance] = await instancesOf('endpoint-recovery');
      expect(instance).to.deep.equal({ instance_id: workflow_id, workflow_id: null, ended: true });
    });

    it('are recorded as overdue as the earlier version asked for it', async () => {
      const { endpoint_id, workflow_id } = await degradedBefore();
      await system.pool.query(`update process_instances set ended_at = now()`);
      await system.pool.query('delete from process_timers');
      const intent = { kind: 'command', command: 'RecordEndpointRecoveryOverdue', data: { endpoint_id, workflow_id } };
      await system.pool.query(
        `insert into process_intents (process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta)
         values ('endpoint-recovery', $1, $2, $1, $3, 1, 'deeds', $4, $5)`,
        [
          workflow_id,
          tenant_id,
          newId(EventId),
          JSON.stringify(intent),
          JSON.stringify({ correlation_id: newId(CommandId) }),
        ],
      );
      start('a');
      const { data } = await until('EndpointRecoveryOverdue');
      await until('WorkflowStepStarted', ofWorkflow(data.recovery?.workflow_id ?? 'none'));
    });

    it('end for a cluster, too, and it goes on in the instance of the cluster', async () => {
      const cluster_id = newId(ClusterId);
      const workflow_id = newId(WorkflowId);
      await append(streamOf('cluster', cluster_id), [
        fact('ClusterRegistrationRequested', { cluster_id }),
        fact('ClusterRegistered', { cluster_id, nodes: [] }),
      ]);
      const recovery = { workflow_id, user_id, name: 'C', bud_cluster_id: 'bud-1' };
      await underWay('cluster-recovery', {
        target: { area: 'cluster', id: cluster_id, name: 'C' },
        fact: fact('ClusterBecameUnavailable', { cluster_id, deadline, recovery }),
        state: { workflow_id, cluster_id, bud_cluster_id: 'bud-1' },
      });
      start('a');
      await fire('deadline', workflow_id);
      const { data } = await until('ClusterRecoveryOverdue');
      const next = data.recovery?.workflow_id ?? 'none';
      await until('WorkflowFailed', ofWorkflow(workflow_id));
      await until('WorkflowStepStarted', ofWorkflow(next));
      await fire('check', next);
      await until('WorkflowSucceeded', ofWorkflow(next));
      expect(await instancesOf('cluster-recovery')).to.deep.equal([
        { instance_id: workflow_id, workflow_id: null, ended: true },
        { instance_id: cluster_id, workflow_id: null, ended: false },
      ]);
    });
  });

  describe('of an endpoint', () => {
    const recoveryOf = async (endpoint_id: string, earlier: readonly string[] = []) => {
      const { data } = await until(
        'EndpointDegraded',
        ({ data }) => data.endpoint_id === endpoint_id && !earlier.includes(data.recovery?.workflow_id ?? ''),
      );
      const workflow_id = data.recovery?.workflow_id ?? 'none';
      await until('WorkflowStepStarted', ofWorkflow(workflow_id));
      return workflow_id;
    };

    it('serves one recovery after the other, and gives way to the deletion', async () => {
      start('a');
      const { endpoint_id, project_id } = await anEndpoint();
      await report(endpoint_id, 1);
      const first = await recoveryOf(endpoint_id);
      const { data } = await until('WorkflowStarted', ofWorkflow(first));
      expect(data).to.deep.include({ kind: 'endpoint-recovery', project_id, user_id });
      expect(data.target).to.deep.equal({ area: 'endpoint', id: endpoint_id, name: 'chat' });
      await report(endpoint_id, 2);
      await until('WorkflowSucceeded', ofWorkflow(first));
      await report(endpoint_id, 1);
      const second = await recoveryOf(endpoint_id, [first]);
      expect(await instancesOf('endpoint-recovery')).to.deep.equal([
        { instance_id: endpoint_id, workflow_id: second, ended: false },
      ]);
      await tell('DeleteEndpoint', { endpoint_id });
      await until('WorkflowCancelled', ofWorkflow(second));
      expect(await instancesOf('endpoint-recovery')).to.deep.equal([
        { instance_id: endpoint_id, workflow_id: null, ended: false },
      ]);
      const { rows } = await system.pool.query(`select * from process_timers where process = 'endpoint-recovery'`);
      expect(rows).to.deep.equal([]);
    });

    it('is parked by a fact of the endpoint from a newer version, with what comes of its workflow behind it', async () => {
      const old = start('old');
      const { endpoint_id } = await anEndpoint();
      await report(endpoint_id, 1);
      const workflow_id = await recoveryOf(endpoint_id);
      // In streams of their own: the commands of this version must still be able to read the endpoint's.
      const unread = (type: Fact['type'], data: object) =>
        append(streamOf('endpoint', newId(EndpointId)), [{ type, data, version: 99 } as never]);
      await unread('EndpointReplicasReported', { endpoint_id });
      await unread('EndpointRecovered', { endpoint_id, recovery_id: workflow_id });
      await fire('check', workflow_id);
      await eventually('two events wait', async () => expect((await old.listParked())[0]?.waiting).to.equal(2));
      const [parked, ...others] = await old.listParked();
      expect(parked).to.include({ process: 'endpoint-recovery', instance_id: endpoint_id });
      expect(parked).to.include({ event_type: 'EndpointRecovered' });
      expect(others).to.deep.equal([]);
      await old.close();
      // What was from the future is what this version writes.
      await system.pool.query(`update process_parked_events set event = jsonb_set(event, '{version}', '1')`);
      const runner = start('new');
      await until('WorkflowSucceeded', ofWorkflow(workflow_id));
      expect(await runner.listParked()).to.deep.equal([]);
      await report(endpoint_id, 2);
      await report(endpoint_id, 1);
      await recoveryOf(endpoint_id, [workflow_id]);
    });

    it('begins nothing twice in a replay', async () => {
      const first = start('a');
      const { endpoint_id } = await anEndpoint();
      await report(endpoint_id, 1);
      const workflow_id = await recoveryOf(endpoint_id);
      await first.close();
      await system.pool.query('delete from process_checkpoints');
      start('b');
      await fire('check', workflow_id);
      running = ['w1', 'w2'];
      await until('WorkflowSucceeded', ofWorkflow(workflow_id));
      expect(await begun()).to.deep.equal([workflow_id]);
    });
  });
});
