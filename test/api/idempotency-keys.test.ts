import { expect } from 'chai';
import { eventually } from '../eventually.ts';
import { type Reply, type RunningApi, startApi } from './running-api.ts';

const BOUNDARY = 'held';
const START = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\nweights`;
const fieldOf = (name: string, value: string): string =>
  `\r\n--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
const END = `\r\n--${BOUNDARY}--\r\n`;

describe('idempotency keys', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  const lockOf = async (key: string): Promise<unknown> => {
    const { rows } = await api.services.pool.query('select locked_until from idempotency_keys where key = $1', [key]);
    return rows[0]?.locked_until;
  };

  /** An upload that goes on until it is told how it ends. */
  const startUpload = async (key: string) => {
    const { writable, readable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const reply = api.request('POST', '/models/local', {
      headers: {
        authorization: `Bearer ${api.admin.token}`,
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'idempotency-key': key,
      },
      body: readable,
      duplex: 'half',
      signal: AbortSignal.timeout(20_000),
    });
    await writer.write(new TextEncoder().encode(START));
    await eventually('the key is locked', async () => Boolean(await lockOf(key)));
    return async (rest: string): Promise<Reply> => {
      await writer.write(new TextEncoder().encode(`${rest}${END}`));
      await writer.close();
      return reply;
    };
  };

  it('are free again after each kind of refusal', async () => {
    const { admin } = api;
    const { body: project } = await admin.post('/projects', { name: 'already there' });
    const path = `/projects/${project.id}`;
    const viewer = api.as({ email: 'viewer@example.org', role: 'viewer' });
    const refusals: Readonly<Record<string, (key: Record<string, string>) => Promise<Reply>>> = {
      'invalid-input': (key) => admin.post('/projects', { name: 7 }, key),
      'project-name-taken': (key) => admin.post('/projects', { name: 'already there' }, key),
      'if-match-on-creation': (key) => admin.post('/projects', { name: 'new' }, { ...key, 'if-match': '"0"' }),
      'stale-revision': (key) => admin.call('PATCH', path, { name: 'x' }, { ...key, 'if-match': '"7"' }),
      'project-not-found': (key) => admin.call('PATCH', '/projects/01a226ad-6530-7543-8bc4-b1a3ddb6d398', {}, key),
      'not-permitted': (key) => viewer.post('/projects', { name: 'not theirs' }, key),
    };
    for (const [code, refused] of Object.entries(refusals)) {
      const key = { 'idempotency-key': `refused ${code}` };
      const reply = await refused(key);
      expect(reply.body.code, JSON.stringify(reply.body)).to.equal(code);
      expect(await lockOf(key['idempotency-key']), code).to.equal(undefined);
      const corrected = await admin.post('/projects', { name: `after ${code}` }, key);
      expect(corrected.status, JSON.stringify(corrected.body)).to.equal(201);
    }
  });

  it('ask to come again soon, and later the longer the first request takes', async () => {
    const key = 'lasting';
    const end = await startUpload(key);
    const retryAfter = async () => {
      const second = await api.admin.form('/models/local', new FormData(), { 'idempotency-key': key });
      expect(second.body).to.include({ status: 409, code: 'request-in-progress' });
      return second.headers.get('retry-after');
    };
    expect(await retryAfter()).to.equal('1');
    for (const [age, seconds] of [
      ['45 seconds', '5'],
      ['1 hour', '10'],
    ]) {
      const older = `update idempotency_keys set created_at = now() - interval '${age}' where key = $1`;
      await api.services.pool.query(older, [key]);
      expect(await retryAfter()).to.equal(seconds);
    }
    expect((await end(fieldOf('name', 'lasting'))).status).to.equal(202);
  });

  it('stay with the request that took them over, however the first one ends', async () => {
    const key = 'taken over';
    const endFirst = await startUpload(key);
    const expire = 'update idempotency_keys set locked_until = now() where key = $1';
    await api.services.pool.query(expire, [key]);
    const endSecond = await startUpload(key);
    expect((await endFirst(fieldOf('colour', 'red'))).body).to.include({ status: 422 });
    expect(await lockOf(key), 'the lock of the second request')
      .to.not.equal(null)
      .and.not.equal(undefined);
    const second = await endSecond(fieldOf('name', 'taken over'));
    expect(second.status, JSON.stringify(second.body)).to.equal(202);
    const third = await (await startUpload(key))(fieldOf('name', 'taken over'));
    expect(third.body).to.deep.equal(second.body);
  });
});
