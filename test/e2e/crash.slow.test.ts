import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openLiveStream } from '../../src/demo/live-stream.ts';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import { eventually } from '../eventually.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint, wholeHistory } from './deployment.ts';

/** Moments of a deployment, by the frame on the live stream that announces them. */
const MOMENTS: readonly { title: string; frame: string; step?: string }[] = [
  { title: 'when it has just been accepted', frame: 'endpoint-requested' },
  { title: 'while the simulator ranks', frame: 'endpoint-placement-started' },
  { title: 'when the capacity is reserved', frame: 'endpoint-placed' },
  { title: 'while the replicas start', frame: 'workflow-step-started', step: 'deploy_to_engine' },
];

describe('kill -9 in the middle of a deployment', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let model: ModelView;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-crash-'));
    budapp = await startBudApp(dataDir);
    const client = await loggedIn(budapp);
    model = await aModel(client, 'survivor');
    expect(model.status).to.equal('active');
    expect((await aCluster(client)).status).to.equal('available');
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  for (const [index, { title, frame, step }] of MOMENTS.entries()) {
    it(`goes on after the next start, ${title}`, async () => {
      let client = await loggedIn(budapp);
      const stream = await openLiveStream(client, 'now');
      const name = `crash-${index}`;
      const answer = await client.post<EndpointView>('/endpoints', { name, model_id: model.id, replicas: 2 });
      const { body: accepted } = answer;
      const resources = [accepted.id, accepted.workflow_id ?? ''];
      await stream.until(
        resources,
        ({ type, data }) => type.endsWith(frame) && (step === undefined || data.step === step),
        () => {},
      );
      stream.close();
      await budapp.kill();
      await eventually('the inference processes end with their parent', async () =>
        (await inferenceProcesses(dataDir)).length === 0 ? true : null,
      );

      budapp = await startBudApp(dataDir);
      client = await loggedIn(budapp);
      const endpoint = await settledEndpoint(client, answer);

      expect(endpoint.status).to.equal('running', endpoint.reason?.message);
      expect(await inferenceProcesses(dataDir)).to.have.length(2);
      const history = await wholeHistory(client);
      expect(new Set(history.map(({ event_id }) => event_id)).size).to.equal(history.length);
      const own = history.filter(({ stream: of }) => of === `endpoint-${accepted.id}`);
      expect(own.map(({ revision }) => revision)).to.deep.equal(own.map((_, n) => n));
      for (const once of ['EndpointRequested', 'EndpointPlaced', 'EndpointDeployed']) {
        expect(
          own.filter(({ event_type }) => event_type === once),
          once,
        ).to.have.length(1);
      }

      const deletion = await client.delete<EndpointView>(`/endpoints/${accepted.id}`);
      expect((await settledEndpoint(client, deletion)).status).to.equal('deleted');
      expect(await inferenceProcesses(dataDir)).to.deep.equal([]);
    });
  }

  it('keeps a running endpoint: after the next start it answers again at the same URL', async () => {
    let client = await loggedIn(budapp);
    const request = { name: 'stays', model_id: model.id, replicas: 1 };
    const before = await settledEndpoint(client, await client.post<EndpointView>('/endpoints', request));
    expect(before.status).to.equal('running', before.reason?.message);
    await budapp.kill();

    budapp = await startBudApp(dataDir);
    client = await loggedIn(budapp);
    await eventually(
      'the endpoint answers again',
      async () => {
        const response = await fetch(`${before.url}/v2/models/stays`).catch(() => null);
        return response?.ok ? true : null;
      },
      { timeoutMs: 180_000 },
    );
    const { body: after } = await client.get<EndpointView>(`/endpoints/${before.id}`);
    expect(after.url).to.equal(before.url);
    const deletion = await client.delete<EndpointView>(`/endpoints/${before.id}`);
    expect((await settledEndpoint(client, deletion)).status).to.equal('deleted');
  });
});
