import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { v5 } from 'uuid';
import { z } from 'zod';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';
import { createLocalModelService } from '../../../src/local/model/local-model-service.ts';
import { openRecordFiles } from '../../../src/local/service/workflow-records.ts';
import { createClient, deployRequest, MODEL, openInbox, request } from '../cluster/cluster-client.ts';
import type { Json } from '../json.ts';
import { asynchronous, hasEnded, resultOf, silent, startReceiver, storyOf } from '../receiver.ts';

/** As an earlier version of BudApp has written them. */
describe('stored workflows', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'stored-workflows-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const closingOf = (type: string, workflow_id: string, result: unknown) => ({
    ...{ specversion: '1.0', id: 'an-id', type, source_topic: 'a-topic', notification_type: 'event' },
    ...{ name: 'bud-internal', subscriber_ids: 'user-1' },
    payload: {
      ...{ category: 'internal', type, event: 'results', workflow_id, source: 'a-service' },
      content: { title: 'results', message: 'done', status: 'COMPLETED', result, primary_action: null },
    },
  });

  describe('of the model service', () => {
    const TYPE = 'perform_model_extraction';
    const idOf = (workflow_id: string) => v5(`${TYPE}:${workflow_id}`, '3c0d3b8e-6a53-5b1f-9d0a-0b9e5a4f7c21');
    const extraction = (workflow_id: string) => ({
      ...{ model_name: 'm', model_uri: MODEL, provider_type: 'disk', ...asynchronous(workflow_id) },
    });
    const fileOf = (workflow_id: string) => join(dir, 'extractions', `${idOf(workflow_id)}.workflow.json`);
    const store = async (workflow_id: string, more: object) => {
      await mkdir(join(dir, 'extractions'), { recursive: true });
      const record = { id: idOf(workflow_id), kind: TYPE, request: extraction(workflow_id), ...more };
      await writeFile(fileOf(workflow_id), JSON.stringify(record));
    };
    const start = async () => {
      const receiver = await startReceiver();
      const service = await createLocalModelService({
        ...{ data_dir: dir, callback: receiver.callback, engines: ENGINES, log: silent },
      });
      const extract = (workflow_id: string) =>
        request(service, 'POST', 'model-info/extract', extraction(workflow_id)).then(({ body }) => body);
      return { receiver, extract, close: () => Promise.all([service.close(), receiver.close()]) };
    };

    it('go on where an upgrade interrupted them, and are not run again', async () => {
      await store('w1', { status: 'running', closing: [] });
      const { receiver, extract, close } = await start();
      await receiver.until(hasEnded('w1'));
      expect(resultOf(receiver.received, 'w1')).to.include({ status: 'COMPLETED' });
      const steps = storyOf(receiver.received, 'w1').length;
      expect((await extract('w1')).workflow_id).to.equal(idOf('w1'));
      await receiver.until(hasEnded('w1', 2));
      expect(storyOf(receiver.received, 'w1').slice(steps)).to.deep.equal(['results COMPLETED']);
      await close();
    });

    it('send their messages after an upgrade, also where these had been sent before', async () => {
      const result = { model_info: {}, local_path: '/m' };
      await store('w1', { status: 'ended', result, closing: [closingOf(TYPE, 'w1', result)] });
      await store('w2', { status: 'told', result, closing: [closingOf(TYPE, 'w2', result)] });
      const { receiver, extract, close } = await start();
      await receiver.until(hasEnded('w1'));
      await extract('w2');
      await receiver.until(hasEnded('w2'));
      expect(receiver.received.map(({ payload }) => payload?.workflow_id)).to.deep.equal(['w1', 'w2']);
      expect(resultOf(receiver.received, 'w2')?.result).to.deep.equal(result);
      await close();
      expect(JSON.parse(await readFile(fileOf('w1'), 'utf8'))).to.deep.include({ status: 'told', result });
    });
  });

  it('do not grow without end: the oldest that are told are forgotten, others never', async () => {
    const request = z.object({ n: z.number() });
    const open = () => openRecordFiles({ dir, kind: 'counting', request, log: silent, most_kept: 10 });
    const records = await open();
    const ended = { status: 'ended', outcome: 'succeeded', closing: [] } as const;
    await records.write({ id: 'untold', input: { n: 0 }, ...ended, told: false });
    await records.write({ id: 'running', input: { n: 0 }, status: 'running' });
    for (let n = 0; n < 100; n += 1) await records.write({ id: `told-${n}`, input: { n }, ...ended, told: true });
    expect((await readdir(dir)).length).to.be.at.most(10 + 2 + 50);
    expect(await records.find('told-99')).to.include({ id: 'told-99' });
    expect(await records.find('told-0')).to.equal(null);
    expect((await open()).unfinished().map(({ id }) => id)).to.have.members(['untold', 'running']);
  });

  describe('of the cluster service', () => {
    const idOf = (key: string) => v5(key, '0a4e3c9d-51c8-5b7e-9a3f-6d2c8e1f7b35');
    const cluster = { id: 'c', name: 'c', cluster_type: 'ON_PREM', ingress_url: '', configuration_sha256: '' };
    const deployment = (workflow_id: string) => deployRequest(workflow_id, { cluster_id: 'c' });
    const workflow = (workflow_id: string, more: object) => ({
      [`deploy:${workflow_id}:`]: {
        ...{ id: idOf(`deploy:${workflow_id}:`), input: { operation: 'deploy', request: deployment(workflow_id) } },
        ...more,
      },
    });

    it('go on where an upgrade interrupted them, and are said again where they had ended', async () => {
      const result = { namespace: 'bud-done' };
      const workflows = {
        ...workflow('flying', { status: 'running', closing_messages: [] }),
        ...workflow('done', { status: 'succeeded', closing_messages: [closingOf('deploy_model', 'done', result)] }),
      };
      const state = { version: 1, marker: `m-${dir}`, port: 0, clusters: { c: cluster }, deployments: {}, workflows };
      await mkdir(join(dir, 'cluster'));
      await writeFile(join(dir, 'cluster', 'state.json'), JSON.stringify(state));

      const inbox = await openInbox();
      const service = await createLocalCluster({
        ...{ data_dir: join(dir, 'cluster'), callback: inbox.callback, engines: ENGINES, log: silent },
      });
      const deployed: Json = (await inbox.ended('flying')).content.result;
      expect(deployed.workflow_id).to.equal(idOf('deploy:flying:'));
      const workers = await createClient(() => service, inbox).workersOf({
        ...{ cluster_id: 'c', namespace: deployed.namespace },
      });
      expect(workers).to.have.lengthOf(1);

      expect(inbox.events('done')).to.deep.equal([]);
      const { body } = await request(service, 'POST', 'deployment', deployment('done'));
      expect(body.workflow_id).to.equal(idOf('deploy:done:'));
      expect((await inbox.ended('done')).content.result).to.deep.equal(result);
      expect(inbox.events('done')).to.deep.equal([['results', 'COMPLETED']]);
      await service.close();
      await inbox.close();
    });
  });
});
