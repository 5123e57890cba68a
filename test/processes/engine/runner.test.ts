import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { z } from 'zod';
import { uploadLocalModel } from '../../../src/commands/model/upload-local-model.ts';
import { completeWorkflow } from '../../../src/commands/workflow/internal/complete-workflow.ts';
import { recordServiceMessage } from '../../../src/commands/workflow/internal/record-service-message.ts';
import { startWorkflow } from '../../../src/commands/workflow/internal/start-workflow.ts';
import { toFact } from '../../../src/events/catalog.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import { CommandId, EventId, newId, TenantId, UserId, WorkflowId } from '../../../src/events/ids.ts';
import { prune } from '../../../src/processes/engine/prune.ts';
import { ask, end, type Process, timer } from '../../../src/processes/process.ts';
import { eventually } from '../../eventually.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../service-double.ts';
import { openSystem, type System } from '../system.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);

describe('the process runner', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let system: System;
  const open: { close(): Promise<void> }[] = [];

  beforeEach(async () => {
    database = await testDatabase();
    service = await openServiceDouble();
    system = await openSystem({ connection_string: database.connection_string, url: service.url });
  });
  afterEach(async () => {
    for (const { close } of open.splice(0)) await close();
    await service.close();
    await system.close();
    await database.close();
  });

  const start = (owner: string, processes?: readonly Process[]) => {
    const runner = system.run(owner, processes);
    open.push(runner);
    return runner;
  };

  const upload = async (name: string) => {
    const command_id = newId(CommandId);
    const object_key = `models/${tenant_id}/${command_id}/${name}.onnx`;
    const artefact = { object_key, file_name: `${name}.onnx`, size_bytes: 5, sha256: 'a'.repeat(64) };
    const outcome = await system.handle(
      uploadLocalModel,
      { name, artefact },
      {
        caller: {
          tenant_id,
          actor: { type: 'user', id: user_id, name: 'somebody' },
          access: { role: 'admin', scopes: new Set(), projects: new Map() },
          user_id,
        },
        command_id,
        correlation_id: command_id,
      },
    );
    return { ...(outcome.state as { workflow_id: string; model_id: string }), object_key, command_id };
  };

  const report = (workflow_id: string, message: object) =>
    system.handle(
      recordServiceMessage,
      {
        workflow_id,
        message_id: 'm1',
        message_type: 'perform_model_extraction',
        status: 'COMPLETED',
        ...message,
      },
      {
        caller: {
          tenant_id,
          actor: { type: 'service', id: 'budmodel', name: 'budmodel' },
          access: 'system',
          user_id: null,
        },
        command_id: newId(CommandId),
        correlation_id: newId(CommandId),
      },
    );

  /** Follows the log until an event of this type, and answers everything up to it. */
  const until = async (
    type: string,
    where: (event: RecordedEvent) => boolean = () => true,
  ): Promise<RecordedEvent[]> => {
    const events: RecordedEvent[] = [];
    for await (const item of system.log.subscribe({ after: 'start', live: true })) {
      if ('caughtUp' in item) continue;
      events.push(item);
      if (item.type === type && where(item)) return events;
    }
    throw new Error('the log ended');
  };

  const typesOf = (events: readonly RecordedEvent[]) => events.map(({ type }) => type);
  const only = (events: readonly RecordedEvent[], type: string) => events.filter((event) => event.type === type);

  it('carries a model from its upload to the end, each event caused by the one before', async () => {
    start('a');
    const { workflow_id, command_id } = await upload('ocr');
    await until('WorkflowCallAnswered');
    expect(JSON.parse(service.asked[0]?.body ?? '')).to.deep.include({
      notification_metadata: { name: 'bud-internal', subscriber_ids: user_id, workflow_id },
    });
    await report(workflow_id, { message_event: 'results', result: { model_info: { author: 'us' } } });
    const events = await until('WorkflowSucceeded');
    expect(typesOf(events)).to.include.members(['WorkflowStarted', 'ModelMetadataRecorded', 'WorkflowSucceeded']);
    const started = events.find(({ type }) => type === 'WorkflowStarted');
    const uploaded = events.find(({ type }) => type === 'LocalModelUploaded');
    expect(started?.meta).to.deep.include({
      causation_id: uploaded?.id,
      correlation_id: command_id,
      actor: { type: 'process', id: 'model-onboarding', name: 'model-onboarding' },
    });
  });

  it('asks again after failures that may pass, then tells the workflow what was refused, and cleans up', async () => {
    service.answer = (_asked, earlier) =>
      earlier < 2 ? { status: 503, body: {} } : { status: 422, body: { no: 'no' } };
    start('a');
    const { object_key } = await upload('ocr');
    const events = await until('WorkflowFailed');
    expect(service.asked).to.have.length(3);
    const failure = events.map(toFact).find(({ type }) => type === 'WorkflowCallFailed');
    expect(failure?.data).to.deep.include({ call: 'model.extract', attempts: 3 });
    expect(failure?.data).to.have.nested.property('reason.code', 'call-refused');
    expect(typesOf(events)).to.include('ModelOnboardingFailed');
    await eventually('the file is removed', () => system.removed.length > 0);
    expect(system.removed).to.deep.equal([object_key]);
  });

  it('stops asking at the deadline, and the deadline does not wait behind the retries', async () => {
    service.answer = () => ({ status: 503, body: {} });
    start('a');
    await upload('ocr');
    await service.count(1);
    await system.pool.query('update process_timers set due_at = now()');
    const events = await until('WorkflowFailed');
    expect(typesOf(events)).to.include('WorkflowTimerFired');
    const { rows } = await system.pool.query('select count(*)::integer as n from process_timers');
    expect(rows[0]?.n).to.equal(0);
  });

  it('stores the id of the event at its checkpoint', async () => {
    start('a');
    await upload('ocr');
    await until('WorkflowCallAnswered');
    await eventually('the checkpoint is at the end', async () => {
      const { rows } = await system.pool.query('select position, event_id from process_checkpoints');
      expect(rows[0]?.position).to.equal(await system.log.head());
      return expect(await system.log.eventAt(rows[0]?.position)).to.deep.equal({ id: rows[0]?.event_id });
    });
  });

  it('replays the log without asking for anything again', async () => {
    const first = start('a');
    const { workflow_id } = await upload('ocr');
    await until('WorkflowCallAnswered');
    await first.close();
    await system.pool.query('delete from process_checkpoints');
    start('b');
    await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    const events = await until('WorkflowSucceeded');
    expect(service.asked).to.have.length(1);
    for (const type of ['WorkflowStarted', 'WorkflowCallAnswered', 'ModelMetadataRecorded']) {
      expect(only(events, type), type).to.have.length(1);
    }
  });

  it('goes on after kill -9 in the middle of a call: the call again, every event once', async () => {
    service.answer = (_asked, earlier) => (earlier === 0 ? 'hang' : { status: 200, body: { workflow_id: 'theirs-1' } });
    const script = new URL('runner-process.ts', import.meta.url);
    const child = fork(script, [database.connection_string, service.url], { execPath: process.execPath });
    await once(child, 'message');
    const { workflow_id } = await upload('ocr');
    await service.count(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    // Its lease is not given back; waiting until it runs out by itself would only be slower.
    await system.pool.query(`update leases set expires_at = '-infinity'`);
    start('survivor');
    await service.count(2);
    await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    const events = await until('WorkflowSucceeded');
    for (const type of ['WorkflowStarted', 'WorkflowCallAnswered', 'ModelMetadataRecorded', 'WorkflowSucceeded']) {
      expect(only(events, type), type).to.have.length(1);
    }
  });

  it('reads again what a crash of the database server has lost of its own transactions', async () => {
    start('a');
    const lost = ['process_instances', 'process_intents', 'process_timers', 'process_checkpoints'];
    const { workflow_id } = await upload('ocr');
    await until('WorkflowCallAnswered');
    // They are not flushed to the disk, so that a crash takes the last ones back, while the reader goes on.
    await system.pool.query(lost.map((table) => `delete from ${table}`).join(';'));
    await report(workflow_id, { message_event: 'results', result: { model_info: { author: 'us' } } });
    const events = await until('WorkflowSucceeded');
    expect(only(events, 'ModelMetadataRecorded')).to.have.length(1);
    expect(only(events, 'WorkflowStarted')).to.have.length(1);
  });

  it('shares the work between two runners without doing anything twice', async () => {
    start('a');
    start('b');
    const models = await Promise.all(Array.from({ length: 10 }, (_, index) => upload(`ocr-${index}`)));
    await service.count(10);
    for (const { workflow_id } of models)
      await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    let done = 0;
    const events = await until('WorkflowSucceeded', () => ++done === 10);
    expect(service.asked).to.have.length(10);
    expect(only(events, 'WorkflowStarted')).to.have.length(10);
    expect(only(events, 'ModelMetadataRecorded')).to.have.length(10);
  });

  it('parks an instance that cannot handle an event, continues with others, and catches up when retried', async () => {
    let broken = true;
    const State = z.object({ seen: z.array(z.string()) });
    const picky: Process<z.output<typeof State>> = {
      name: 'picky',
      state: State,
      react: (state, event) => {
        if (event.type === 'LocalModelUploaded') {
          const { workflow_id, model_id, name, deadline } = event.data;
          if (broken && name === 'bad') throw new Error('cannot digest that');
          const target = { area: 'model', id: model_id, name } as const;
          const steps = [{ id: 'only', title: 'Only' }];
          const workflow = {
            workflow_id,
            kind: 'model-onboarding',
            target,
            project_id: null,
            user_id,
            steps,
            deadline,
          } as const;
          return { state: { seen: [name] }, intents: [ask(startWorkflow, workflow)] };
        }
        if (!state || event.type !== 'WorkflowStarted') return null;
        const { workflow_id } = event.data;
        return { state, intents: [ask(completeWorkflow, { workflow_id }), end()] };
      },
    };
    const runner = start('a', [picky]);
    const bad = await upload('bad');
    const good = await upload('good');
    await until('WorkflowSucceeded', ({ stream }) => stream.endsWith(good.workflow_id));
    const [parked] = await runner.listParked();
    expect(parked).to.include({ process: 'picky', instance_id: bad.workflow_id, error: 'cannot digest that' });
    expect(await runner.retryParked({ process: 'picky', instance_id: bad.workflow_id })).to.deep.equal({
      resumed: false,
    });
    broken = false;
    expect(await runner.retryParked({ process: 'picky', instance_id: bad.workflow_id })).to.deep.equal({
      resumed: true,
    });
    await until('WorkflowSucceeded', ({ stream }) => stream.endsWith(bad.workflow_id));
    expect(await runner.listParked()).to.deep.equal([]);
  });

  it('has read up to the head also where the last events concern no process manager', async () => {
    const deaf: Process<null> = { name: 'deaf', state: z.null(), workflowOf: () => null, react: () => null };
    const runner = start('a', [deaf]);
    for (const name of ['one', 'two']) {
      await upload(name);
      const head = await system.log.head();
      await eventually('it is at the head', async () => expect((await runner.progress()).position).to.equal(head));
    }
  });

  it('parks an instance whose data the database refuses, and goes on with all others', async () => {
    let broken = true;
    const State = z.object({ seen: z.array(z.string()) });
    const picky: Process<z.output<typeof State>> = {
      name: 'picky',
      state: State,
      react: (_, event) => {
        if (event.type !== 'LocalModelUploaded') return null;
        const { workflow_id, name } = event.data;
        // A time that no Postgres can store fails only when it is written.
        const due = broken && name === 'bad' ? '+275760-09-13T00:00:00.000Z' : new Date().toISOString();
        return { state: { seen: [workflow_id] }, intents: [timer('due', due)] };
      },
    };
    const runner = start('a', [picky]);
    const bad = await upload('bad');
    const good = await upload('good');
    const stateOf = async (workflow_id: string) => {
      const text = 'select state from process_instances where instance_id = $1';
      return (await system.pool.query(text, [workflow_id])).rows;
    };
    await eventually('the other instance goes on', async () =>
      expect(await stateOf(good.workflow_id)).to.deep.equal([{ state: { seen: [good.workflow_id] } }]),
    );
    const [parked, ...others] = await runner.listParked();
    expect(others).to.deep.equal([]);
    expect(parked).to.include({ process: 'picky', instance_id: bad.workflow_id });
    expect(await runner.retryParked({ process: 'picky', instance_id: bad.workflow_id })).to.deep.equal({
      resumed: false,
    });
    expect(await stateOf(bad.workflow_id)).to.deep.equal([{ state: null }]);
    broken = false;
    expect(await runner.retryParked({ process: 'picky', instance_id: bad.workflow_id })).to.deep.equal({
      resumed: true,
    });
    expect(await runner.listParked()).to.deep.equal([]);
  });

  it('retries by itself what an older version parked because of an unknown fact', async () => {
    const old = start('old');
    const { workflow_id } = await upload('ocr');
    await until('WorkflowCallAnswered');
    const [started] = only(await until('WorkflowCallAnswered'), 'WorkflowStarted');
    if (!started) throw new Error('the workflow has no start');
    const { meta } = started;
    const eta = {
      id: newId(EventId),
      type: 'WorkflowEtaReported',
      version: 99,
      data: { workflow_id, eta: null },
      meta,
    };
    // In a stream of its own: the commands of this version must still be able to read the workflow's.
    await system.log.append(`workflow-${newId(WorkflowId)}`, [eta], { expected: 'none' });
    await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    await eventually('two events wait', async () => expect((await old.listParked())[0]?.waiting).to.equal(2));
    await old.close();
    // All automatic attempts are used up, and what was from the future is what this version writes.
    await system.pool.query('update process_instances set park_retry_at = null');
    await system.pool.query(`update process_parked_events set event = jsonb_set(event, '{version}', '1')`);
    const runner = start('new');
    await until('WorkflowSucceeded');
    expect(await runner.listParked()).to.deep.equal([]);
  });

  it('skips the parked event, and continues with those behind it', async () => {
    const State = z.object({ workflow_id: z.uuid() });
    const picky: Process<z.output<typeof State>> = {
      name: 'picky',
      state: State,
      react: (state, event) => {
        if (event.type === 'LocalModelUploaded') {
          const { workflow_id, model_id, name, deadline } = event.data;
          const target = { area: 'model', id: model_id, name } as const;
          const steps = [{ id: 'only', title: 'Only' }];
          const what = { workflow_id, kind: 'model-onboarding', target, project_id: null } as const;
          return { state: { workflow_id }, intents: [ask(startWorkflow, { ...what, user_id, steps, deadline })] };
        }
        if (event.type === 'WorkflowResultReceived') throw new Error('cannot digest results');
        if (!state || event.type !== 'WorkflowEtaReported') return null;
        return { state, intents: [ask(completeWorkflow, { workflow_id: event.data.workflow_id }), end()] };
      },
    };
    const runner = start('a', [picky]);
    const { workflow_id } = await upload('ocr');
    await until('WorkflowStarted');
    await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    await report(workflow_id, { message_event: 'eta', text: '3' });
    const key = { process: 'picky', instance_id: workflow_id };
    await eventually('two events wait', async () => expect((await runner.listParked())[0]?.waiting).to.equal(2));
    expect(await runner.retryParked(key)).to.deep.equal({ resumed: false });
    expect(await runner.skipParked(key)).to.deep.equal({ resumed: true });
    await until('WorkflowSucceeded');
    expect(await runner.listParked()).to.deep.equal([]);
    const refusal = await runner.skipParked(key).then(
      () => null,
      (error) => error.code,
    );
    expect(refusal).to.equal('parked-event-not-found');
  });

  it('forgets what is long over, and a replay from the start still asks for nothing again', async () => {
    const first = start('a');
    const { workflow_id } = await upload('ocr');
    const { workflow_id: unfinished } = await upload('other');
    await until('WorkflowCallAnswered', ({ stream }) => stream.endsWith(unfinished));
    await report(workflow_id, { message_event: 'results', result: { model_info: {} } });
    const before = await until('WorkflowSucceeded');
    await eventually('nothing is open', async () => expect((await first.progress()).open).to.equal(0));
    await first.close();
    expect(await prune(system.pool)).to.deep.equal({ intents: 0, states: 0 });
    await system.pool.query(`update process_intents set done_at = done_at - interval '8 days'`);
    await system.pool.query(`update process_instances set ended_at = ended_at - interval '8 days'`);
    const pruned = await prune(system.pool);
    expect(pruned.intents).to.be.greaterThan(3);
    expect(pruned.states).to.equal(1);
    const { rows } = await system.pool.query('select state from process_instances where instance_id = $1', [
      unfinished,
    ]);
    expect(rows[0]?.state).to.not.equal(null);

    await system.pool.query('delete from process_checkpoints');
    start('b');
    await report(unfinished, { message_event: 'results', result: { model_info: {} } });
    const after = await until('WorkflowSucceeded', ({ stream }) => stream.endsWith(unfinished));
    expect(service.asked).to.have.length(2);
    expect(only(after, 'WorkflowStarted')).to.have.length(2);
    expect(only(after, 'ModelMetadataRecorded')).to.have.length(2);
    expect(after.slice(0, before.length).map(({ id }) => id)).to.deep.equal(before.map(({ id }) => id));
  });
});
