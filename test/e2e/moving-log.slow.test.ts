import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../eventstore-double/double.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';
import { type InstallationState, stateOf } from './installation-state.ts';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** History without what belongs to the place where it is kept. */
const positionless = ({ history, resources }: InstallationState) => ({
  history: history.map(({ position: _, ...event }) => event),
  models: resources.models?.map(({ position: _, ...row }) => row),
  users: resources.users?.map(({ position: _, ...row }) => row),
});

/** docs/operations.md, "Moving between logs": from Postgres to EventStoreDB and back, with work under way. */
describe('moving an installation to another log', function () {
  this.timeout(300_000);
  let dataDir = '';
  let double: EventStoreDouble;
  let budapp: BudApp | null = null;
  let model: ModelView;

  const start = async (eventstore: boolean) => {
    budapp = await startBudApp(dataDir, eventstore ? { EVENTSTORE_URL: double.url } : {});
    return loggedIn(budapp);
  };
  const stop = async () => {
    await budapp?.stop();
    budapp = null;
  };
  const copy = (from: string, to: string) =>
    run(process.execPath, [CLI, 'log', 'copy', '--from', from, '--to', to, '--cut-over'], {
      env: { ...process.env, DATA_DIR: dataDir },
    });

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-moving-'));
    double = await createEventStoreDouble();
    const client = await start(false);
    model = await aModel(client, 'moved');
    expect((await aCluster(client)).status).to.equal('available');
  });
  after(async () => {
    await stop();
    await double.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  for (const [name, from, to] of [
    ['there', false, true],
    ['back', true, false],
  ] as const) {
    it(`keeps history and resources on the way ${name}, and goes on with what was under way`, async () => {
      let client = await loggedIn(budapp!);
      const kept = positionless(await stateOf(client));
      const answer = await client.post<EndpointView>('/endpoints', { name, model_id: model.id, replicas: 1 });
      await stop();

      const place = (eventstore: boolean) => (eventstore ? double.url : 'postgres');
      const { stdout } = await copy(place(from), place(to));
      expect(stdout).to.match(/The logs are the same/);

      client = await start(to);
      // The position of the answer is one of the log that was left.
      const { head } = (await client.get<{ head: string }>('/health/ready')).body;
      const endpoint = await settledEndpoint(client, { body: answer.body, position: head });
      expect(endpoint.status).to.equal('running', endpoint.reason?.message);
      const restored = positionless(await stateOf(client));
      expect(restored.history.slice(0, kept.history.length)).to.deep.equal(kept.history);
      expect(restored.models).to.have.length(1).and.deep.equal(kept.models);
      expect(restored.users).to.have.length(1).and.deep.equal(kept.users);
      const own = restored.history.filter(({ stream }) => stream === `endpoint-${answer.body.id}`);
      expect(own.map(({ event_type }) => event_type).filter((type) => type === 'EndpointDeployed')).to.have.length(1);
      expect(own.map(({ revision }) => revision)).to.deep.equal(own.map((_, n) => n));
    });
  }

  it('refuses to start with the log that it has left, and says which setting to look at', async () => {
    await stop();
    const refused = await startBudApp(dataDir, { EVENTSTORE_URL: double.url }).then(
      (started) => started.stop().then(() => 'started'),
      (error: Error) => error.message,
    );
    expect(refused)
      .to.match(/The log is another one than/)
      .and.match(/EVENTSTORE_URL/)
      .and.match(/budapp log copy/);
    await start(false);
  });
});
