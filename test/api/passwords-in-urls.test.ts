import { expect } from 'chai';
import { ClusterId, newId } from '../../src/events/ids.ts';
import { fact } from '../commands/fixture.ts';
import { eventually } from '../eventually.ts';
import { anEvent } from '../projections/facts.ts';
import { checkedFetch } from './checked-fetch.ts';
import { TENANT } from './fake-identity.ts';
import { type RunningApi, startApi } from './running-api.ts';

const PASSWORD = 'hunter2';

describe('a password in the ingress URL of a cluster', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('is refused', async () => {
    for (const ingress_url of [`https://me:${PASSWORD}@models.example`, `https:${PASSWORD}@models.example`]) {
      const { body } = await api.admin.post('/clusters', { name: 'with password', configuration: 'any', ingress_url });
      expect(body).to.include({ status: 422, code: 'invalid-input' });
      expect(JSON.stringify(body)).not.to.contain(PASSWORD);
    }
    const made = await api.admin.post('/clusters', { name: 'without', configuration: 'any' });
    const ingress_url = `http://${PASSWORD}@models.example`;
    expect((await api.admin.call('PATCH', `/clusters/${made.body.id}`, { ingress_url })).status).to.equal(422);
  });

  it('is shown nowhere where the log has it already', async () => {
    const cluster_id = newId(ClusterId);
    const ingress_url = `https://me:${PASSWORD}@models.example/x`;
    const history = [
      fact('ClusterRegistrationRequested', { cluster_id, ingress_url }),
      fact('ClusterIngressChanged', { cluster_id, ingress_url }),
    ];
    const actor = { type: 'process', id: 'test', name: 'test' } as const;
    const events = history.map((each) => {
      const event = anEvent(each, { tenant_id: TENANT });
      return { ...event, meta: { ...event.meta, actor } };
    });
    const { position } = await api.services.log.append(`cluster-${cluster_id}`, events, { expected: 'none' });
    for (const path of [
      `/clusters/${cluster_id}`,
      '/clusters',
      `/clusters/${cluster_id}/status`,
      '/audit/events',
      `/audit/events/${position}`,
      `/audit/cluster/${cluster_id}`,
      `/audit/cluster/${cluster_id}/state`,
    ]) {
      const { status, body } = await api.admin.get(path, { 'min-position': position });
      const text = JSON.stringify(body);
      expect(status, text).to.equal(200);
      expect(text, path).to.contain(cluster_id).and.not.to.contain(PASSWORD);
    }
    const stop = new AbortController();
    const headers = { authorization: `Bearer ${api.admin.token}` };
    const url = `${api.url}/stream/events?from=start&area=cluster`;
    const response = await checkedFetch(url, { headers, signal: stop.signal });
    let told = '';
    const reading = (async () => {
      for await (const chunk of response.body ?? []) told += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    await eventually('both frames have come', async () => told.includes('cluster-ingress-changed'));
    stop.abort();
    await reading;
    expect(told).to.contain('models.example').and.not.to.contain(PASSWORD);
  });
});
