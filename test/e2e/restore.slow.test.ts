import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';
import { type InstallationState, stateOf } from './installation-state.ts';

const run = promisify(execFile);

/** The commands of docs/operations.md, "Backup" and "Restore", for the embedded default. */
describe('backup and restore of the embedded default', function () {
  this.timeout(300_000);
  let root = '';
  let dataDir = '';
  let backup = '';
  let budapp: BudApp;
  let model: ModelView;
  let backedUp: InstallationState;
  let underWay: { body: EndpointView; position: string | null };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'budapp-restore-'));
    dataDir = join(root, 'data');
    backup = join(root, 'backup');
    // The embedded server runs as another user where this is root.
    await run('chmod', ['755', root]);
    budapp = await startBudApp(dataDir);
    const client = await loggedIn(budapp);
    model = await aModel(client, 'kept');
    expect((await aCluster(client)).status).to.equal('available');
    const deployed = await client.post<EndpointView>('/endpoints', { name: 'kept', model_id: model.id, replicas: 1 });
    expect((await settledEndpoint(client, deployed)).status).to.equal('running');
    backedUp = await stateOf(client);
    underWay = await client.post<EndpointView>('/endpoints', { name: 'under-way', model_id: model.id, replicas: 1 });
    await budapp.stop();

    await run('cp', ['-a', dataDir, backup]);
    await rm(dataDir, { recursive: true });
    await run('cp', ['-a', backup, dataDir]);
    budapp = await startBudApp(dataDir);
  });
  after(async () => {
    await budapp.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('gives back the same history and the same resources, personal data readable', async () => {
    const restored = await stateOf(await loggedIn(budapp));
    expect(restored.history.slice(0, backedUp.history.length)).to.deep.equal(backedUp.history);
    expect(restored.resources).to.deep.equal(backedUp.resources);
    const [user] = restored.resources.users ?? [];
    expect(user?.email).to.equal('admin@example.test');
  });

  it('goes on with the deployment that was under way', async () => {
    const endpoint = await settledEndpoint(await loggedIn(budapp), underWay);
    expect(endpoint.status).to.equal('running', endpoint.reason?.message);
  });

  it('deploys the restored artefact', async () => {
    const client = await loggedIn(budapp);
    const answer = await client.post<EndpointView>('/endpoints', { name: 'anew', model_id: model.id, replicas: 1 });
    const endpoint = await settledEndpoint(client, answer);
    expect(endpoint.status).to.equal('running', endpoint.reason?.message);
  });
});
