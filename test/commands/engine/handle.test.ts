import { expect } from 'chai';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { Caller } from '../../../src/commands/access.ts';
import { findCommand } from '../../../src/commands/catalog.ts';
import { createCommandHandler, type Outcome, type Request } from '../../../src/commands/engine/handle.ts';
import type { LiveEndpoint } from '../../../src/commands/engine/in-use.ts';
import { Rejected } from '../../../src/errors.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import { ClusterId, CommandId, newId, ProjectId, TenantId } from '../../../src/events/ids.ts';
import { Sealed } from '../../../src/events/sealed.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { Vault } from '../../../src/ports/vault.ts';
import { fact } from '../fixture.ts';
import { aPerson, itself } from '../given.ts';

/** Seals with nothing but another spelling; what sealing is worth is tested with the real vault. */
const vault: Vault = {
  sealer: async (subject) => (text) =>
    Sealed.parse(`sealed:1:${subject}:iv:tag:${Buffer.from(text).toString('base64url')}`),
  open: async () => null,
  erase: async () => undefined,
};

const start = ({
  wrap = (log: Log) => log,
  live = [] as readonly LiveEndpoint[],
  alone_since = undefined as string | undefined,
} = {}) => {
  let ms = Date.parse('2026-11-22T12:00:00.000Z');
  const clock = () => new Date(ms).toISOString();
  const log = createMemoryLog({ clock });
  const findLiveEndpoints = async () => live;
  const handle = createCommandHandler({ log: wrap(log), vault, clock, findLiveEndpoints, alone_since });
  const run = (type: string, data: unknown, request: Partial<Request> = {}): Promise<Outcome> => {
    const command = findCommand(type);
    if (!command) throw new Error(`no command ${type}`);
    const command_id = newId(CommandId);
    return handle(command, data, { caller: anna, command_id, correlation_id: command_id, ...request });
  };
  const events = async (): Promise<RecordedEvent[]> => {
    const all: RecordedEvent[] = [];
    for await (const event of log.subscribe({ after: 'start', live: false })) if ('id' in event) all.push(event);
    return all;
  };
  const wait = (seconds: number) => {
    ms += seconds * 1000;
  };
  return { run, events, wait, log };
};

const anna = aPerson({ role: 'admin' });
const viewer = aPerson({ role: 'viewer' });
const stranger: Caller = { ...aPerson({ role: 'admin' }), tenant_id: newId(TenantId) };

const refusal = async (outcome: Promise<unknown>): Promise<Rejected> => {
  const error = await outcome.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Rejected) return error;
  throw new Error('was not refused', { cause: error });
};

describe('handling a command', () => {
  describe('who may', () => {
    it('refuses what the role does not allow', async () => {
      const { run } = start();
      const error = await refusal(run('CreateProject', { name: 'One' }, { caller: viewer }));
      expect([error.kind, error.code]).to.deep.equal(['forbidden', 'not-permitted']);
    });

    it("does not know another tenant's project", async () => {
      const { run } = start();
      const { id } = await run('CreateProject', { name: 'One' });
      const error = await refusal(run('UpdateProject', { project_id: id, name: 'Two' }, { caller: stranger }));
      expect([error.kind, error.code]).to.deep.equal(['not-found', 'project-not-found']);
    });

    it('does not know a project that the caller may not see, and forbids what the caller may only see', async () => {
      const { run } = start();
      const { id } = await run('CreateProject', { name: 'One' });
      const change = { project_id: id, name: 'Two' };
      const outsider = aPerson({ role: 'developer' });
      const looker = aPerson({
        role: 'viewer',
        projects: new Map([[ProjectId.parse(id), new Set(['project:view'] as const)]]),
      });
      expect((await refusal(run('UpdateProject', change, { caller: outsider }))).kind).to.equal('not-found');
      expect((await refusal(run('UpdateProject', change, { caller: looker }))).kind).to.equal('forbidden');
    });

    it('does not know a project into which the caller may not look when something is made in it', async () => {
      const { run } = start();
      const { id } = await run('CreateProject', { name: 'One' });
      const data = { project_id: id, model_id: newId(CommandId), name: 'e' };
      const error = await refusal(run('DeployModel', data, { caller: aPerson() }));
      expect(error.code).to.equal('project-not-found');
    });

    it('requires the scope of the target of a workflow to cancel it', async () => {
      const { run } = start();
      const target = { area: 'cluster', id: newId(ClusterId), name: 'home' } as const;
      const { data } = fact('WorkflowStarted', { kind: 'cluster-onboarding', target, project_id: null });
      const { workflow_id } = data;
      await run('StartWorkflow', data, { caller: itself });
      const deployer = aPerson({ role: 'developer', scopes: new Set(['endpoint:manage']) });
      const refused = await refusal(run('CancelWorkflow', { workflow_id }, { caller: deployer }));
      expect([refused.kind, refused.code, refused.message]).to.deep.equal([
        'forbidden',
        'not-permitted',
        'CancelWorkflow requires the scope cluster:manage.',
      ]);
      const keeper = aPerson({ role: 'viewer', scopes: new Set(['cluster:manage']) });
      const { events } = await run('CancelWorkflow', { workflow_id }, { caller: keeper });
      expect(events.map(({ type }) => type)).to.deep.equal(['WorkflowCancelRequested']);
    });

    it('answers not found when a workflow of another project is cancelled', async () => {
      const { run } = start();
      const { data } = fact('WorkflowStarted');
      await run('StartWorkflow', data, { caller: itself });
      const { workflow_id } = data;
      const outsider = aPerson({ role: 'developer' });
      expect((await refusal(run('CancelWorkflow', { workflow_id }, { caller: outsider }))).kind).to.equal('not-found');
      const looker = aPerson({
        projects: new Map([[data.project_id ?? newId(ProjectId), new Set(['endpoint:view'])]]),
      });
      expect((await refusal(run('CancelWorkflow', { workflow_id }, { caller: looker }))).kind).to.equal('forbidden');
    });

    it('keeps system commands from persons, whether the thing exists or not', async () => {
      const { run } = start();
      const data = { cluster_id: newId(CommandId) };
      expect((await refusal(run('RecordClusterDeleted', data))).kind).to.equal('forbidden');
      expect((await refusal(run('RecordClusterDeleted', data, { caller: itself }))).kind).to.equal('not-found');
    });

    it("does not see what it needs of another tenant's", async () => {
      const { run } = start();
      const { id: project_id } = await run('CreateProject', { name: 'One' }, { caller: stranger });
      const data = { project_id, model_id: newId(CommandId), name: 'e' };
      expect((await refusal(run('DeployModel', data))).code).to.equal('project-not-found');
    });
  });

  describe('names', () => {
    it('gives a name to exactly one of fifty at once, however it is spelt', async () => {
      const { run, events } = start();
      const spelt = (n: number) => (n % 2 ? 'My Project' : '  MY project ');
      const all = await Promise.allSettled(
        Array.from({ length: 50 }, (_, n) => run('CreateProject', { name: spelt(n) })),
      );
      const lost = all.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Rejected).code] : []));
      expect(lost).to.deep.equal(Array(49).fill('project-name-taken'));
      expect((await events()).filter(({ type }) => type === 'ProjectCreated')).to.have.length(1);
    });

    it('gives the same name to another tenant', async () => {
      const { run } = start();
      await run('CreateProject', { name: 'One' });
      await run('CreateProject', { name: 'One' }, { caller: stranger });
    });

    it('frees the name after a rename and after a deletion', async () => {
      const { run } = start();
      const { id: project_id } = await run('CreateProject', { name: 'One' });
      await run('UpdateProject', { project_id, name: 'Two' });
      const { id } = await run('CreateProject', { name: 'one' });
      expect((await refusal(run('CreateProject', { name: 'Two' }))).code).to.equal('project-name-taken');
      await run('DeleteProject', { project_id: id });
      await run('CreateProject', { name: 'One' });
    });

    it('lets a project be renamed to another spelling of its name, and keeps it', async () => {
      const { run } = start();
      const { id: project_id } = await run('CreateProject', { name: 'one' });
      await run('UpdateProject', { project_id, name: 'ONE' });
      expect((await refusal(run('CreateProject', { name: 'One' }))).code).to.equal('project-name-taken');
    });

    it('frees the name of a model whose onboarding failed', async () => {
      const { run } = start();
      const { id: model_id } = await run('RegisterCloudModel', { name: 'M', repo_id: 'org/m' });
      await run('FailModelOnboarding', { model_id, reason: { code: 'x', message: 'y' } }, { caller: itself });
      await run('RegisterCloudModel', { name: 'm', repo_id: 'org/m' });
    });

    /** Fails, or holds up, the first append of a project, as a crash or a slow machine would. */
    const interrupted = (hold?: Promise<void>) => {
      let first = true;
      return (log: Log): Log => ({
        ...log,
        append: async (stream, newEvents, options) => {
          if (first && stream.startsWith('project-')) {
            first = false;
            if (!hold) throw new Error('crashed');
            await hold;
          }
          return log.append(stream, newEvents, options);
        },
      });
    };

    it('lets another creator take over the name of an abandoned creation after a minute', async () => {
      const { run, wait } = start({ wrap: interrupted() });
      await run('CreateProject', { name: 'One' }).then(
        () => expect.fail('did not crash'),
        (error: Error) => expect(error.message).to.equal('crashed'),
      );
      wait(59);
      expect((await refusal(run('CreateProject', { name: 'One' }))).code).to.equal('project-name-taken');
      wait(2);
      await run('CreateProject', { name: 'One' });
    });

    it('lets it be taken over at once where the process that reserved it has ended', async () => {
      const { run } = start({ wrap: interrupted(), alone_since: '2026-11-22T12:00:00.001Z' });
      await run('CreateProject', { name: 'One' }).catch(() => undefined);
      expect((await run('CreateProject', { name: 'One' })).repeated).to.equal(false);
    });

    it('keeps out a slow creator whose name was taken over', async () => {
      const gate = Promise.withResolvers<void>();
      const { run, wait, events } = start({ wrap: interrupted(gate.promise) });
      const slow = refusal(run('CreateProject', { name: 'One' }));
      await new Promise((resolve) => setImmediate(resolve));
      wait(61);
      const { id } = await run('CreateProject', { name: 'One' });
      gate.resolve();
      expect((await slow).code).to.equal('creation-abandoned');
      const made = (await events()).filter(({ type }) => type === 'ProjectCreated');
      expect(made.map(({ stream }) => stream)).to.deep.equal([`project-${id}`]);
      expect((await refusal(run('CreateProject', { name: 'One' }))).code).to.equal('project-name-taken');
    });

    it('lets a repeated creation finish what the crash left', async () => {
      const { run } = start({ wrap: interrupted() });
      const repeat = { command_id: newId(CommandId), may_repeat: true };
      await run('CreateProject', { name: 'One' }, repeat).catch(() => undefined);
      expect((await run('CreateProject', { name: 'One' }, repeat)).repeated).to.equal(false);
    });

    it('does not believe that a repeated rename still holds a name that others took over', async () => {
      let broken = false;
      const wrap = (log: Log): Log => ({
        ...log,
        append: async (stream, newEvents, options) => {
          if (broken && stream.startsWith('project-')) throw new Error('crashed');
          return log.append(stream, newEvents, options);
        },
      });
      const { run, wait } = start({ wrap });
      const { id: project_id } = await run('CreateProject', { name: 'One' });
      const rename = { command_id: newId(CommandId), may_repeat: true };
      broken = true;
      await run('UpdateProject', { project_id, name: 'Two' }, rename).catch(() => undefined);
      broken = false;
      wait(61);
      await run('CreateProject', { name: 'Two' });
      const again = run('UpdateProject', { project_id, name: 'Two' }, rename);
      expect((await refusal(again)).code).to.equal('project-name-taken');
    });

    it('gives the name back where the project turns out to exist already', async () => {
      const { run } = start();
      const project = { project_id: newId(ProjectId), owner_id: newId(CommandId) };
      await run('CreateDefaultProject', { ...project, name: 'One' }, { caller: itself });
      const again = run('CreateDefaultProject', { ...project, name: 'Two' }, { caller: itself });
      expect((await refusal(again)).code).to.equal('project-exists');
      await run('CreateProject', { name: 'Two' });
      expect((await refusal(run('CreateProject', { name: 'One' }))).code).to.equal('project-name-taken');
    });
  });

  describe('repetition', () => {
    it('answers as it did the first time, whatever happened since', async () => {
      const { run, events } = start();
      const repeat = { command_id: newId(CommandId), may_repeat: true, request_hash: 'a' };
      const first = await run('CreateProject', { name: 'One' }, repeat);
      await run('UpdateProject', { project_id: first.id, name: 'Two' });
      const count = (await events()).length;
      const second = await run('CreateProject', { name: 'One' }, repeat);
      expect(second).to.deep.equal({ ...first, events: [], repeated: true });
      expect(second.state).to.include({ name: 'One' });
      expect(await events()).to.have.length(count);
    });

    it('refuses the same command with another body', async () => {
      const { run } = start();
      const repeat = { command_id: newId(CommandId), may_repeat: true };
      await run('CreateProject', { name: 'One' }, { ...repeat, request_hash: 'a' });
      const error = await refusal(run('CreateProject', { name: 'Two' }, { ...repeat, request_hash: 'b' }));
      expect(error.code).to.equal('idempotency-key-reused');
    });

    it('answers a repeated deletion', async () => {
      const { run } = start();
      const { id: project_id } = await run('CreateProject', { name: 'One' });
      const repeat = { command_id: newId(CommandId), may_repeat: true };
      await run('DeleteProject', { project_id }, repeat);
      expect((await run('DeleteProject', { project_id }, repeat)).repeated).to.equal(true);
      expect((await refusal(run('DeleteProject', { project_id }))).kind).to.equal('not-found');
    });
  });

  describe('changes at the same moment', () => {
    it('refuses a stale revision', async () => {
      const { run } = start();
      const { id: project_id, revision } = await run('CreateProject', { name: 'One' });
      await run('UpdateProject', { project_id, name: 'Two' }, { expected_revision: revision });
      const late = run('UpdateProject', { project_id, name: 'Three' }, { expected_revision: revision });
      expect((await refusal(late)).kind).to.equal('stale');
    });

    it('lets all of several changes through that name no revision', async () => {
      const { run, events } = start();
      const { id: project_id } = await run('CreateProject', { name: 'One' });
      await Promise.all(['a', 'b', 'c', 'd'].map((description) => run('UpdateProject', { project_id, description })));
      expect((await events()).filter(({ type }) => type === 'ProjectDescribed')).to.have.length(4);
    });

    it('lets only one of several changes through that name the same revision', async () => {
      const { run } = start();
      const { id: project_id, revision } = await run('CreateProject', { name: 'One' });
      const change = (description: string) =>
        run('UpdateProject', { project_id, description }, { expected_revision: revision });
      const all = await Promise.allSettled(['a', 'b', 'c', 'd'].map(change));
      expect(all.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    });
  });

  it('names the live endpoints that stand in the way of a deletion', async () => {
    const live = [{ id: '1', name: 'chat', project_id: newId(ProjectId) }];
    const { run } = start({ live });
    const { id: project_id } = await run('CreateProject', { name: 'One' });
    const error = await refusal(run('DeleteProject', { project_id }));
    expect(error.code).to.equal('project-in-use');
    expect(error.extra).to.deep.equal({ endpoints: [{ id: '1', name: 'chat' }], hidden_endpoints: 0 });
  });

  it('keeps secrets and personal data out of the log', async () => {
    const { run, events } = start();
    await run('RegisterCluster', { name: 'C', configuration: 'kubeconfig-secret' });
    const person = { user_id: newId(CommandId), subject: 's', email: 'ada@example.org', name: 'Ada', role: 'viewer' };
    await run('RegisterUser', person, { caller: itself });
    const text = JSON.stringify(await events());
    expect(text).to.contain('sealed:1:').and.not.contain('kubeconfig-secret');
    expect(text).not.to.contain('ada@example.org').and.not.to.contain('"Ada"');
  });

  it('points at every field that is wrong', async () => {
    const { run } = start();
    const error = await refusal(run('CreateProject', { name: '', colour: 'red' }));
    expect(error.kind).to.equal('invalid');
    expect(error.errors.map(({ pointer }) => pointer)).to.have.members(['/name', '/colour']);
  });
});
