import { expect } from 'chai';
import { createCallers } from '../../../src/api/callers/caller.ts';
import type { Person } from '../fake-identity.ts';
import { type RunningApi, startApi } from '../running-api.ts';

const EARLIER = 1_790_000_000;

describe('a role that changes at the identity provider', () => {
  let api: RunningApi;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.close());

  const as = (role: Person['role'], seconds: number) =>
    api.as({ email: 'ada@example.org', role, issued_at: EARLIER + seconds });
  const roleOf = async (caller: ReturnType<RunningApi['as']>): Promise<string> =>
    (await caller.get('/auth/me')).body.role;
  const newCluster = { name: 'edge', configuration: 'apiVersion: v1' };

  it('counts at once, for older tokens too', async () => {
    const before = as('admin', 0);
    expect(await roleOf(before)).to.equal('admin');
    expect(await roleOf(as('viewer', 10))).to.equal('viewer');
    expect(await roleOf(before)).to.equal('viewer');
    expect((await before.post('/clusters', newCluster)).status).to.equal(403);
    expect(await roleOf(as('developer', 20))).to.equal('developer');
  });

  it('is seen by other processes, and written down once', async () => {
    const callers = [createCallers(api.services), createCallers(api.services)];
    const seen = (role: Person['role'], seconds: number) => {
      const token = api.identity.issue({ email: 'ada@example.org', role, issued_at: EARLIER + seconds }).access_token;
      return Promise.all([...callers, ...callers].map((each) => each.fromToken(token)));
    };
    const [{ user_id } = { user_id: '' }] = await seen('admin', 0);
    await seen('viewer', 10);
    const types: string[] = [];
    for await (const { type } of api.services.log.readStream(`user-${user_id}`)) types.push(type);
    expect(types).to.deep.equal(['UserRegistered', 'UserProviderRoleChanged']);
    const head = (await api.services.log.head()) ?? '';
    const { body } = await api.admin.get(`/audit/user/${user_id}`, { 'min-position': head });
    const { event_type, data } = body.items.at(-1);
    expect(event_type).to.equal('UserProviderRoleChanged');
    expect(data).to.include({ role: 'viewer', issued_at: new Date((EARLIER + 10) * 1000).toISOString() });
  });

  it('leaves alone what an administrator has changed here, until it changes there', async () => {
    const me = await as('viewer', 0).get('/auth/me');
    const path = `/users/${me.body.user_id}/permissions`;
    expect((await api.admin.call('PUT', path, { role: 'developer', scopes: [] })).status).to.equal(200);
    expect(await roleOf(as('viewer', 10))).to.equal('developer');
    expect(await roleOf(as('admin', 20))).to.equal('admin');
  });
});
