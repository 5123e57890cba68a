import { expect } from 'chai';
import { createCallers } from '../../../src/api/callers/caller.ts';
import { type RunningApi, startApi } from '../running-api.ts';

describe('a first login', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('makes one user with one project, however many processes see the person at the same moment', async () => {
    const processes = [createCallers(api.services), createCallers(api.services), createCallers(api.services)];
    const person = { email: 'new@example.org', role: 'developer' } as const;
    const seen = await Promise.all(
      processes.flatMap((callers) =>
        [1, 2, 3, 4].map(() => callers.fromToken(api.identity.issue(person).access_token)),
      ),
    );
    const users = new Set(seen.map(({ user_id }) => user_id));
    const projects = new Set(seen.map(({ default_project_id }) => default_project_id));
    expect([users.size, projects.size]).to.deep.equal([1, 1]);

    const [[user_id = ''], [project_id = '']] = [[...users], [...projects]];
    const typesIn = async (stream: string) => {
      const types: string[] = [];
      for await (const { type } of api.services.log.readStream(stream)) types.push(type);
      return types;
    };
    expect(await typesIn(`user-${user_id}`)).to.deep.equal(['UserRegistered']);
    expect(await typesIn(`project-${project_id}`)).to.deep.equal(['ProjectCreated']);
    const owned = await api.admin.get(`/projects?owner_id=${user_id}`);
    expect(owned.body.items).to.have.length(1);
  });
});
