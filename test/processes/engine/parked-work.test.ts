import { expect } from 'chai';
import { z } from 'zod';
import { uploadLocalModel } from '../../../src/commands/model/upload-local-model.ts';
import { startWorkflow } from '../../../src/commands/workflow/internal/start-workflow.ts';
import { type Recorded, toFact } from '../../../src/events/catalog.ts';
import { CommandId, newId, TenantId, UserId } from '../../../src/events/ids.ts';
import { FEW_ATTEMPTS } from '../../../src/processes/engine/perform.ts';
import { abandonCalls, ask, type Process, timer } from '../../../src/processes/process.ts';
import { eventually } from '../../eventually.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../service-double.ts';
import { openSystem, type System } from '../system.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);

/** Its second command exists in no version, which no attempt cures. */
const faulty: Process<null> = {
  name: 'faulty',
  state: z.null(),
  react: (_state, event) => {
    if (event.type === 'LocalModelUploaded') {
      const { workflow_id, model_id, name, deadline } = event.data;
      const target = { area: 'model', id: model_id, name } as const;
      const steps = [{ id: 'only', title: 'Only' }];
      const workflow = { workflow_id, kind: 'model-onboarding', target, project_id: null, user_id, steps } as const;
      const unknown = { kind: 'command', command: 'DoTheUnknown', data: { workflow_id, times: 1 } } as const;
      const intents = [ask(startWorkflow, { ...workflow, deadline }), unknown, timer('deadline', deadline)];
      return { state: null, intents: [...intents, { ...unknown, command: 'DoItAgain' }] };
    }
    return event.type === 'WorkflowTimerFired' ? { state: null, intents: [abandonCalls()] } : null;
  },
};

describe('work that keeps failing', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let system: System;
  let runner: ReturnType<System['run']>;

  beforeEach(async () => {
    database = await testDatabase();
    service = await openServiceDouble();
    system = await openSystem({ connection_string: database.connection_string, url: service.url });
    runner = system.run('a', [faulty]);
  });
  afterEach(async () => {
    await runner.close();
    await service.close();
    await system.close();
    await database.close();
  });

  const upload = async (): Promise<void> => {
    const command_id = newId(CommandId);
    const artefact = {
      object_key: `models/${tenant_id}/${command_id}/ocr.onnx`,
      file_name: 'ocr.onnx',
      size_bytes: 5,
      sha256: 'a'.repeat(64),
    };
    const actor = { type: 'user', id: user_id, name: 'somebody' } as const;
    const access = { role: 'admin', scopes: new Set<never>(), projects: new Map<never, never>() } as const;
    const caller = { tenant_id, actor, access, user_id };
    await system.handle(
      uploadLocalModel,
      { name: 'ocr', artefact },
      { caller, command_id, correlation_id: command_id },
    );
  };

  /** All attempts but the last are over: the back-off would take half a minute. */
  const parked = (work: string) =>
    eventually(`${work} is parked`, async () => {
      const text = 'update process_intents set attempts = $1, due_at = now() where attempts > 0 and parked_at is null';
      await system.pool.query(text, [FEW_ATTEMPTS - 1]);
      return (await runner.listParkedWork()).find((each) => each.work === work);
    });

  const facts = async <Type extends Recorded['type']>(type: Type) => {
    const found: Extract<Recorded, { type: Type }>[] = [];
    const is = (fact: Recorded): fact is Extract<Recorded, { type: Type }> => fact.type === type;
    for await (const item of system.log.subscribe({ after: 'start', live: false })) {
      const fact = 'caughtUp' in item ? null : toFact(item);
      if (fact && is(fact)) found.push(fact);
    }
    return found;
  };

  it('is parked with its request and failures, and the later work of its instance waits', async () => {
    await upload();
    const work = await parked('DoTheUnknown');
    expect(work).to.deep.include({ process: 'faulty', waiting: 1, tenant_id });
    expect(work.attempts).to.be.at.least(FEW_ATTEMPTS);
    expect(work.request).to.include({ times: 1 });
    expect(work.failures.at(-1)?.error).to.equal('there is no command DoTheUnknown');
    expect(await runner.progress()).to.include({ parked_intents: 1, retrying: 0, open: 2 });
    expect(await facts('WorkflowCommandRefused')).to.deep.equal([]);
  });

  it('is attempted again when it is retried, and parked again', async () => {
    await upload();
    const { id, parked_at } = await parked('DoTheUnknown');
    await runner.resumeParkedWork(id, { action: 'retry' }, async () => {});
    expect((await parked('DoTheUnknown')).parked_at).to.not.equal(parked_at);
  });

  it('is given up when it is skipped, and what waits goes on', async () => {
    await upload();
    const { id } = await parked('DoTheUnknown');
    await runner.resumeParkedWork(id, { action: 'skip' }, async () => {});
    await parked('DoItAgain');
    expect((await facts('WorkflowCommandRefused')).map(({ data }) => data.reason.code)).to.deep.equal([
      'skipped-by-operator',
    ]);
  });

  it('is not performed where its record fails', async () => {
    await upload();
    const { id } = await parked('DoTheUnknown');
    const refused = runner.resumeParkedWork(id, { action: 'skip' }, () => Promise.reject(new Error('no log')));
    expect(await refused.then(() => null, String)).to.equal('Error: no log');
    expect(await runner.listParkedWork()).to.have.length(1);
  });

  it('does not keep a workflow beyond its deadline', async () => {
    await upload();
    await parked('DoTheUnknown');
    await system.pool.query('update process_timers set due_at = now()');
    await eventually('the deadline gives it up', async () =>
      expect((await facts('WorkflowCommandRefused')).map(({ data }) => data.reason.code)).to.include(
        'attempts-used-up',
      ),
    );
  });
});
