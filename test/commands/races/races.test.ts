import { expect } from 'chai';
import { endpoint } from '../../../src/commands/endpoint/endpoint-state.ts';
import type { EndpointFact, Fact, Recorded } from '../../../src/events/catalog.ts';
import { EndpointId, newId, UserId, WorkflowId } from '../../../src/events/ids.ts';
import { fact } from '../fixture.ts';
import { aPerson, itself } from '../given.ts';
import { endings, handlersOver, LOGS } from './logs.ts';

const anna = aPerson({ role: 'admin' });
const ANYBODY = newId(UserId);
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const counted = (codes: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(codes)].sort().map((code) => [code, codes.filter((each) => each === code).length]));
const typesOf = (facts: readonly Recorded[]): string[] => facts.map(({ type }) => type);

/** An endpoint of its own, as far as the fixtures tell. */
const anEndpoint = () => {
  const endpoint_id = newId(EndpointId);
  const deploying: readonly Fact[] = [
    fact('EndpointRequested', { endpoint_id }),
    fact('EndpointPlacementStarted', { endpoint_id }),
    fact('EndpointPlaced', { endpoint_id }),
  ];
  return { endpoint_id, deploying, deployed: fact('EndpointDeployed', { endpoint_id }) };
};

const statusAfter = (facts: readonly Recorded[]): string | undefined =>
  facts.reduce<ReturnType<typeof endpoint.evolve>>(
    (state, each) => endpoint.evolve(state, each as Recorded<EndpointFact>),
    null,
  )?.status;

for (const [where, open] of Object.entries(LOGS)) {
  describe(`commands of two processes at once, with the log ${where}`, () => {
    let shared: Awaited<ReturnType<typeof open>>;
    let log: ReturnType<typeof handlersOver>;
    before(async () => {
      shared = await open();
      log = handlersOver(shared);
    });
    after(() => shared.close());

    it('makes all of 50 changes of one project that name no revision', async () => {
      const { id } = await log.send(0)('CreateProject', { name: 'crowded' }, { caller: anna });
      const change = (n: number) =>
        log.send(n)('UpdateProject', { project_id: id, description: `change ${n}` }, { caller: anna });
      expect(counted(await endings(numbers(50).map(change)))).to.deep.equal({ done: 50 });
      expect(await log.facts('project', id)).to.have.length(51);
    });

    it('makes one of 20 changes that name the same revision, and calls the others stale', async () => {
      const { id } = await log.send(0)('CreateProject', { name: 'guarded' }, { caller: anna });
      const change = (n: number) => {
        const guarded = { caller: anna, expected_revision: 0 };
        return log.send(n)('UpdateProject', { project_id: id, description: `change ${n}` }, guarded);
      };
      expect(counted(await endings(numbers(20).map(change)))).to.deep.equal({ done: 1, 'stale-revision': 19 });
    });

    it('decides all of 100 reports about one endpoint, each on the one before it', async () => {
      const { endpoint_id, deploying, deployed } = anEndpoint();
      await log.given('endpoint', endpoint_id, ...deploying, deployed);
      const { workers, ingress_healthy } = deployed.data;
      const seen = { endpoint_id, status: 'ready', workers, ingress_healthy };
      const report = (n: number) => {
        const replicas = { total: 2, available: 2, failed: 0, pending: n };
        return log.send(n)('RecordEndpointReport', { ...seen, replicas }, { caller: itself });
      };
      expect(counted(await endings(numbers(100).map(report)))).to.deep.equal({ done: 100 });
      const facts = await log.facts('endpoint', endpoint_id);
      expect(facts.map(({ revision }) => revision)).to.deep.equal(numbers(facts.length));
    });

    it('deletes an endpoint or not while it comes to be deployed, and answers what it did', async () => {
      for (const n of numbers(10)) {
        const { endpoint_id, deploying, deployed } = anEndpoint();
        await log.given('endpoint', endpoint_id, ...deploying);
        const sent = [
          log.send(n)('DeleteEndpoint', { endpoint_id }, { caller: anna }),
          log.send(n + 1)('RecordEndpointDeployed', deployed.data, { caller: itself }),
        ];
        const [deletion] = await endings(n % 3 === 0 ? sent.reverse() : sent).then((codes) =>
          n % 3 === 0 ? codes.reverse() : codes,
        );
        const facts = await log.facts('endpoint', endpoint_id);
        expect(statusAfter(facts)).to.equal(deletion === 'done' ? 'deleting' : 'running');
        expect(typesOf(facts).includes('EndpointDeletionRequested')).to.equal(deletion === 'done');
      }
    });

    it('ends a workflow once, whether its success or its cancellation comes first', async () => {
      for (const n of numbers(10)) {
        const workflow_id = newId(WorkflowId);
        await log.given('workflow', workflow_id, fact('WorkflowStarted', { workflow_id }));
        const reason = { code: 'cancelled', message: 'Cancelled.' };
        const sent = [
          log.send(n)('CancelWorkflow', { workflow_id }, { caller: anna }),
          log.send(n + 1)('CompleteWorkflow', { workflow_id }, { caller: itself }),
          log.send(n)('MarkWorkflowCancelled', { workflow_id, reason }, { caller: itself }),
          log.send(n + 1)('FailWorkflow', { workflow_id, reason }, { caller: itself }),
        ];
        const [cancelled] = await endings(sent);
        const types = typesOf(await log.facts('workflow', workflow_id));
        const ends = types.filter((type) => /^Workflow(Succeeded|Cancelled|Failed)$/.test(type));
        expect(ends).to.have.length(1);
        expect(types.at(-1)).to.equal(ends[0]);
        expect(types.includes('WorkflowCancelRequested')).to.equal(cancelled === 'done');
      }
    });

    it('leaves an administrator, however many remove each other', async () => {
      for (const removal of ['DisableUser', 'ChangeUserPermissions']) {
        for (const [round, count] of [2, 2, 2, 5].entries()) {
          const admins = numbers(count).map(() => aPerson({ role: 'admin' }));
          for (const { user_id } of admins) {
            const registered = fact('UserRegistered', { user_id: user_id ?? ANYBODY, role: 'admin' });
            await log.given('user', user_id ?? '', registered);
          }
          const remove = (n: number) => {
            const { user_id } = admins[(n + 1) % count]!;
            const more = removal === 'DisableUser' ? {} : { role: 'viewer', scopes: [] };
            return log.send(n + round)(removal, { user_id, ...more }, { caller: admins[n]! });
          };
          const codes = counted(await endings(numbers(count).map(remove)));
          expect(Object.keys(codes), JSON.stringify(codes)).to.deep.equal(['done', 'not-permitted']);
          const left = await Promise.all(admins.map(({ user_id }) => log.facts('user', user_id ?? '')));
          expect(left.filter((facts) => facts.length === 1)).to.have.length(codes['not-permitted'] ?? 0);
        }
      }
    });
  });
}
