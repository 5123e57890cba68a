import { expect } from 'chai';
import { pino } from 'pino';
import { SchemaValidationError } from 'slonik';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { Position } from '../../../src/events/event.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, TenantId, UserId, WorkflowId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { readModelCatalog } from '../../../src/projections/catalog.ts';
import { clusters } from '../../../src/projections/clusters.ts';
import { endpoints } from '../../../src/projections/endpoints.ts';
import { createProjectionRunner, type ProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { projects } from '../../../src/projections/projects.ts';
import { createReadModels, type ReadModels } from '../../../src/projections/queries/read.ts';
import { createReadPool, type ReadPool } from '../../../src/projections/queries/read-pool.ts';
import { replay } from '../../../src/projections/queries/replay.ts';
import { users } from '../../../src/projections/users.ts';
import { workflows } from '../../../src/projections/workflows.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import {
  fresh,
  OWNER,
  reported,
  startCluster,
  startEndpoint,
  startProject,
  startUser,
  startWorkflow,
  TENANT,
} from '../facts.ts';

describe('read models', () => {
  let database: TestDatabase;
  let opened: ReturnType<typeof openPool>;
  let readPool: ReadPool;
  let readModels: ReadModels;
  let log: Log;
  let runner: ProjectionRunner;

  const everything = { tenant_id: TENANT, projects: 'all' as const };

  const settled = async (): Promise<void> => {
    const head = await log.head();
    if (head)
      await readModels.waitFor(
        readModelCatalog.map(({ name }) => name),
        head,
        { timeout_ms: 60_000 },
      );
  };

  beforeEach(async () => {
    database = await testDatabase();
    opened = openPool(database.connection_string, 6);
    readPool = await createReadPool(database.connection_string);
    readModels = createReadModels({ pool: readPool });
    log = createMemoryLog();
    runner = createProjectionRunner({ log, pool: opened.pool, owner: 'one', logger: pino({ level: 'silent' }) });
  });

  afterEach(async () => {
    await runner.close();
    await log.close();
    await readPool.end();
    await opened.close();
    await database.close();
  });

  it('finds a row as the reducers made it, equal to its replay', async () => {
    const endpoint = await startEndpoint(log);
    await endpoint.append(reported(EndpointId.parse(endpoint.id), 1));
    const started = [
      { projection: endpoints, id: endpoint.id },
      { projection: projects, id: (await startProject(log, { tags: ['a', 'b'] })).id },
      { projection: workflows, id: (await startWorkflow(log)).id },
      { projection: clusters, id: (await startCluster(log)).id },
      { projection: users, id: (await startUser(log)).id },
    ];
    await settled();
    for (const { projection, id } of started) {
      // biome-ignore lint/suspicious/noExplicitAny: each read model has rows of its own; all are compared alike.
      const any = projection as any;
      expect(await readModels.find(any, { tenant_id: TENANT, id })).to.deep.equal(await replay(any, log, { id }));
    }
  });

  it('finds nothing of another tenant', async () => {
    const { id } = await startProject(log);
    await settled();
    expect(await readModels.find(projects, { tenant_id: fresh(TenantId), id })).to.equal(null);
    const foreign = await readModels.list(projects, { tenant_id: fresh(TenantId), projects: 'all', limit: 10 });
    expect(foreign.items).to.deep.equal([]);
  });

  it('refuses a row that does not fit its schema', async () => {
    const { id } = await startProject(log);
    await settled();
    await opened.pool.query("update projects set status = 'upside-down'");
    const failure = await failureOf(readModels.find(projects, { tenant_id: TENANT, id }));
    expect(failure).to.be.instanceOf(SchemaValidationError);
  });

  for (const sort of ['-created_at', 'name', '-name,created_at', 'name,-created_at']) {
    it(`pages through ties, each row once, sorted by ${sort}`, async () => {
      for (let n = 0; n < 7; n += 1) await startProject(log, { name: n % 2 ? 'odd' : 'even' });
      await settled();
      await opened.pool.query("update projects set created_at = '2026-01-01T00:00:00.123Z'");
      const all = await readModels.list(projects, { ...everything, sort, limit: 50 });
      const paged: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await readModels.list(projects, { ...everything, sort, limit: 2, cursor });
        paged.push(...page.items);
        expect(page.has_more).to.equal(page.next_cursor !== null);
        cursor = page.next_cursor ?? undefined;
      } while (cursor);
      expect(paged).to.have.length(7);
      expect(paged).to.deep.equal(all.items);
      expect(all.position).to.equal(await log.head());
    });
  }

  it('refuses the cursor of another sort, of other filters, and what is no cursor', async () => {
    for (let n = 0; n < 3; n += 1) await startProject(log);
    await settled();
    const { next_cursor } = await readModels.list(projects, { ...everything, sort: 'name', limit: 1 });
    const cursor = next_cursor ?? '';
    const wrong = [
      { sort: '-name', cursor },
      { sort: 'name', filter: { name: 'Vision' }, cursor },
      { sort: 'name', cursor: 'nonsense' },
    ];
    for (const query of wrong) {
      const failure = await failureOf(readModels.list(projects, { ...everything, ...query, limit: 1 }));
      expect(failure).to.include({ kind: 'invalid', code: 'invalid-cursor' });
    }
  });

  it('filters by values, by any of several, by tags and by the field of an object', async () => {
    const tagged = await startProject(log, { tags: ['vision', 'fast'], is_default: true });
    const plain = await startProject(log, { name: 'Plain' });
    const target = { area: 'model' as const, id: fresh(ModelId), name: 'm' };
    const workflow = await startWorkflow(log, { target });
    await startWorkflow(log);
    await settled();
    const idsOf = async (filter: Record<string, string | string[]>) =>
      (await readModels.list(projects, { ...everything, filter, sort: 'created_at', limit: 10 })).items.map(
        ({ id }) => id,
      );
    expect(await idsOf({ name: 'Plain' })).to.deep.equal([plain.id]);
    expect(await idsOf({ name: ['Plain', 'Vision'] })).to.deep.equal([tagged.id, plain.id]);
    expect(await idsOf({ tags: 'fast' })).to.deep.equal([tagged.id]);
    expect(await idsOf({ is_default: 'true' })).to.deep.equal([tagged.id]);
    const found = await readModels.list(workflows, { ...everything, filter: { target_id: target.id }, limit: 10 });
    expect(found.items.map(({ id }) => id)).to.deep.equal([workflow.id]);
  });

  it('refuses unknown filters, impossible values and unknown sorts', async () => {
    const failures = [
      [{ filter: { colour: 'red' } }, 'unknown-filter'],
      [{ filter: { members: 'x' } }, 'unknown-filter'],
      [{ filter: { owner_id: 'nobody' } }, 'invalid-filter'],
      [{ sort: 'colour' }, 'unknown-sort'],
      [{ sort: 'tags' }, 'unknown-sort'],
      [{ sort: 'constructor' }, 'unknown-sort'],
    ] as const;
    for (const [query, code] of failures) {
      const failure = await failureOf(readModels.list(projects, { ...everything, ...query, limit: 1 }));
      expect(failure).to.include({ kind: 'invalid', code });
    }
  });

  it('lists only what the given projects hold, and what is deleted only when asked for', async () => {
    const mine = await startProject(log);
    const theirs = await startProject(log);
    const inMine = await startEndpoint(log, { project_id: ProjectId.parse(mine.id) });
    await startEndpoint(log, { project_id: ProjectId.parse(theirs.id) });
    await theirs.append({ type: 'ProjectDeleted', data: { project_id: ProjectId.parse(theirs.id), name: 'Vision' } });
    await settled();
    const visible = { tenant_id: TENANT, projects: [ProjectId.parse(mine.id)], limit: 10 };
    expect((await readModels.list(endpoints, visible)).items.map(({ id }) => id)).to.deep.equal([inMine.id]);
    expect((await readModels.list(projects, visible)).items.map(({ id }) => id)).to.deep.equal([mine.id]);
    expect((await readModels.list(projects, { ...everything, limit: 10 })).items).to.have.length(1);
    const deleted = await readModels.list(projects, { ...everything, filter: { status: 'deleted' }, limit: 10 });
    expect(deleted.items.map(({ id }) => id)).to.deep.equal([theirs.id]);
  });

  it('waits for a position, and says so when it does not come', async () => {
    const { id } = await startProject(log);
    await readModels.waitFor(['projects'], Position.parse(await log.head()), { timeout_ms: 60_000 });
    expect(await readModels.find(projects, { tenant_id: TENANT, id })).to.not.equal(null);
    const later = Position.parse('9'.repeat((await log.head())?.length ?? 0));
    const failure = await failureOf(readModels.waitFor(['projects'], later, { timeout_ms: 20 }));
    expect(failure).to.include({ kind: 'unavailable', code: 'read-model-behind', retryAfterSeconds: 1 });
  });

  it('knows what a user may do: role, ownership and membership', async () => {
    const member = fresh(UserId);
    await startUser(log, member);
    await startUser(log, OWNER);
    const project = await startProject(log);
    const gone = await startProject(log);
    const project_id = ProjectId.parse(project.id);
    const scopes = ['endpoint:view' as const];
    await project.append({ type: 'ProjectMemberAdded', data: { project_id, user_id: member, scopes } });
    await gone.append({ type: 'ProjectDeleted', data: { project_id: ProjectId.parse(gone.id), name: 'Vision' } });
    await settled();
    const access = await readModels.findAccess({ tenant_id: TENANT, user_id: member });
    expect(access).to.deep.include({ role: 'developer', status: 'active', scopes: [], has_default_project: false });
    expect(access?.provider_role).to.deep.equal({ role: 'developer', issued_at: null });
    expect(access?.projects).to.deep.equal([{ project_id, scopes, is_owner: false }]);
    const owner = await readModels.findAccess({ tenant_id: TENANT, user_id: OWNER });
    expect(owner?.projects).to.deep.equal([{ project_id, scopes: [], is_owner: true }]);
    expect(await readModels.findAccess({ tenant_id: TENANT, user_id: fresh(UserId) })).to.equal(null);
  });

  it('finds what services speak of by their own handles, and what still lives on a cluster', async () => {
    const cluster = await startCluster(log);
    const cluster_id = ClusterId.parse(cluster.id);
    await cluster.append({
      type: 'ClusterRegistered',
      data: { cluster_id, workflow_id: fresh(WorkflowId), bud_cluster_id: 'bud-1', nodes: [] },
    });
    const endpoint = await startEndpoint(log, { cluster_id, bud_cluster_id: 'bud-1' });
    const failed = await startEndpoint(log, { cluster_id, bud_cluster_id: 'bud-1' });
    const reason = { code: 'no-room', message: 'No room.' };
    const failure = { endpoint_id: EndpointId.parse(failed.id), workflow_id: null, name: 'reader', reason };
    await failed.append({ type: 'EndpointFailed', data: failure });
    await settled();
    expect((await readModels.findClusterByBudId('bud-1'))?.id).to.equal(cluster.id);
    expect(await readModels.findEndpointByNamespace('nowhere')).to.equal(null);
    const live = await readModels.listLiveEndpoints({ tenant_id: TENANT, area: 'cluster', id: cluster.id });
    expect(live.map(({ id }) => id)).to.deep.equal([endpoint.id]);
  });

  it('pages through the audit log and finds one event by its position', async () => {
    const endpoint = await startEndpoint(log);
    for (let n = 0; n < 4; n += 1) await endpoint.append(reported(EndpointId.parse(endpoint.id), n));
    await startProject(log);
    await settled();
    const query = { ...everything, filter: { area: 'endpoint', resource_id: endpoint.id }, limit: 3 };
    const first = await readModels.listAuditEvents(query);
    const rest = await readModels.listAuditEvents({ ...query, cursor: first.next_cursor ?? undefined });
    expect([...first.items, ...rest.items].map(({ revision }) => revision)).to.deep.equal([4, 3, 2, 1, 0]);
    expect(rest.has_more).to.equal(false);
    const [newest] = first.items;
    expect(newest).to.deep.include({ event_type: 'EndpointReplicasReported', actor_type: 'user', project_id: null });
    const position = Position.parse(newest?.position);
    expect(await readModels.findAuditEvent({ tenant_id: TENANT, position })).to.deep.equal(newest);
    expect(await readModels.findAuditEvent({ tenant_id: fresh(TenantId), position })).to.equal(null);
    const none = await readModels.listAuditEvents({
      ...everything,
      filter: { from: '2100-01-01T00:00:00Z' },
      limit: 3,
    });
    expect(none.items).to.deep.equal([]);
  });
});
