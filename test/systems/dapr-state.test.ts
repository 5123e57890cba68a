import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createDaprState, type DaprState } from '../../src/adapters/dapr/state.ts';
import { Rejected, SystemUnusable } from '../../src/errors.ts';
import { eventually } from '../eventually.ts';
import { failureOf } from '../failure-of.ts';
import { keptPort } from './harness/ports.ts';
import { startDaprd } from './servers/daprd.ts';
import { startRedis } from './servers/redis.ts';

const tokens = { dapr_api_token: 'token-of-the-sidecars', app_api_token: 'token-of-the-application' };
const STORE = 'statestore-redis';

describe('state store of Dapr over Redis', function () {
  this.timeout(60_000);
  let dir: string;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let sidecar: Awaited<ReturnType<typeof startDaprd>>;
  let state: DaprState;

  const open = (more: { api_token?: string; store_name?: string; http_port?: number } = {}) =>
    createDaprState({ http_port: sidecar.http_port, api_token: tokens.dapr_api_token, store_name: STORE, ...more });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dapr-state-'));
    redis = await startRedis({ dir, password: 'secret' });
    const nobody = await keptPort(dir, 'nobody');
    sidecar = await startDaprd({ dir, app_id: 'budapp', app_port: nobody, tokens, redis: redis.settings });
    state = open();
  });
  after(async () => {
    await state?.close();
    await sidecar?.close();
    await redis?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('gives back what was put, text as it is, the newest', async () => {
    const key = 'revoked/a b?c#d%2F"é';
    await state.put(key, 'first', { ttl_seconds: 60 });
    await state.put(key, '{"not":"parsed"} "ü"', { ttl_seconds: 60 });
    expect(await state.get(key)).to.equal('{"not":"parsed"} "ü"');
    expect(await state.get('never put')).to.equal(null);
    await state.put('looks like a number', '17', { ttl_seconds: 60 });
    expect(await state.get('looks like a number')).to.equal('17');
  });

  it('forgets when the time is over, and not before', async () => {
    await state.put('long', 'x', { ttl_seconds: 60 });
    await state.put('short', 'x', { ttl_seconds: 1.5 });
    await state.put('over already', 'x', { ttl_seconds: 0 });
    expect(await state.get('short')).to.equal('x');
    const isForgotten = async () => (await state.get('short')) === null && (await state.get('over already')) === null;
    await eventually('they are forgotten', isForgotten);
    expect(await state.get('long')).to.equal('x');
  });

  for (const [what, app_id, instance] of [
    ['another process of the same role', 'budapp', '-2'],
    ['another role', 'budapp-processes', ''],
    ['a service of the platform', 'budcluster', ''],
  ] as const) {
    it(`is shared with ${what}`, async () => {
      const other = await startDaprd({
        ...{ dir, tokens, redis: redis.settings },
        ...{ app_id, instance, app_port: await keptPort(dir, 'nobody-2') },
      });
      await state.put('shared', what, { ttl_seconds: 60 });
      const value = await open({ http_port: other.http_port }).get('shared');
      await other.close();
      expect(value).to.equal(what);
    });
  }

  it('does not give away the secrets of its components', async () => {
    const url = `http://127.0.0.1:${sidecar.http_port}/v1.0/secrets/secretstore-env/REDIS_PASSWORD`;
    const answer = await fetch(url, { headers: { 'dapr-api-token': tokens.dapr_api_token } });
    expect(answer.status).to.equal(403);
  });

  it('is unavailable while Redis is down, and works again when it is back', async () => {
    await state.put('kept', 'x', { ttl_seconds: 60 });
    await redis.stop('kill');
    const refusals = [await failureOf(state.get('kept')), await failureOf(state.put('k', 'x', { ttl_seconds: 60 }))];
    for (const refusal of refusals) {
      expect(refusal).to.be.instanceOf(Rejected);
      expect(refusal).to.include({ kind: 'unavailable', code: 'shared-state-unavailable', retryAfterSeconds: 5 });
    }
    await redis.start();
    expect(await state.get('kept')).to.equal('x');
  });

  it('has nothing any more, and takes new facts, where Redis lost its data', async () => {
    await state.put('lost', 'x', { ttl_seconds: 60 });
    await redis.command('flushall');
    expect(await state.get('lost')).to.equal(null);
    await state.put('new', 'x', { ttl_seconds: 60 });
    expect(await state.get('new')).to.equal('x');
  });

  it('checks that it can be used, and names the setting where it cannot', async () => {
    await state.check();
    const problems = [
      [open({ store_name: 'other' }), 'DAPR_STATE_STORE_NAME'],
      [open({ api_token: 'wrong' }), 'DAPR_API_TOKEN'],
    ] as const;
    for (const [unusable, setting] of problems) {
      const error = await failureOf(unusable.check());
      expect(error)
        .to.be.instanceOf(SystemUnusable)
        .and.to.deep.include({ settings: [setting], transient: false });
    }
  });
});
