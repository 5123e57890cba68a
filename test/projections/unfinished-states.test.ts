import { expect } from 'chai';
import type { Fact, Recorded } from '../../src/events/catalog.ts';
import { eventTypes, streamOf } from '../../src/events/catalog.ts';
import { ClusterStatus, clusters } from '../../src/projections/clusters.ts';
import { EndpointStatus, endpoints } from '../../src/projections/endpoints.ts';
import { ModelStatus, models } from '../../src/projections/models.ts';
import type { Projection, RowStamp } from '../../src/projections/projection.ts';
import { reduce } from '../../src/projections/projection.ts';
import { WorkflowStatus, workflows } from '../../src/projections/workflows.ts';
import { fact } from '../commands/fixture.ts';

/** The statuses in which something may stay for ever. Any other one says why it lasts, since when, and until when. */
const LASTING: Readonly<Record<string, readonly string[]>> = {
  endpoint: ['running', 'stopped', 'failed', 'cancelled', 'deleted'],
  cluster: ['available', 'error', 'deleted'],
  model: ['active', 'failed', 'deleted'],
  workflow: ['succeeded', 'failed', 'cancelled'],
};

type Row = RowStamp & { status: string; reason: unknown; since: unknown; deadline: unknown };
// biome-ignore lint/suspicious/noExplicitAny: the rows of all areas are handled alike here.
type AnyProjection = Projection<any, any>;

const recorded = (area: AnyProjection['area'], { type, data }: Fact, revision: number): Recorded =>
  ({
    ...{ type, data, version: 1, id: 'event', revision, position: String(revision), at: '2030-01-01T10:00:00.000Z' },
    ...{ stream: streamOf(area, '1'), meta: { tenant_id: 'tenant', actor: { type: 'user', id: 'u', name: 'u' } } },
  }) as never;

/** Every status that any order of facts leads to, with the row that each fact has led to. */
const explore = (projection: AnyProjection, firsts: readonly Fact['type'][]) => {
  const facts = eventTypes()
    .filter((type) => Object.hasOwn(projection.on, type) && !firsts.includes(type as Fact['type']))
    .map((type) => fact(type as Fact['type']));
  const reached = new Map<string, Row>();
  const rows: { by: string; row: Row }[] = [];
  const visit = (by: string, row: Row): void => {
    rows.push({ by, row });
    if (reached.has(row.status)) return;
    reached.set(row.status, row);
    for (const next of facts) {
      const after = reduce(projection, row as never, recorded(projection.area, next, 1) as never) as unknown as Row;
      visit(`${row.status} -> ${next.type}`, after);
    }
  };
  for (const first of firsts) {
    visit(first, reduce(projection, null, recorded(projection.area, fact(first), 0) as never) as unknown as Row);
  }
  return { rows, reached: [...reached.keys()] };
};

describe('a status that is not final', () => {
  for (const [projection, firsts, statuses] of [
    [endpoints, ['EndpointRequested'], EndpointStatus.options],
    [clusters, ['ClusterRegistrationRequested'], ClusterStatus.options],
    [models, ['LocalModelUploaded', 'CloudModelRegistered'], ModelStatus.options],
    [workflows, ['WorkflowStarted'], WorkflowStatus.options],
  ] as readonly [AnyProjection, readonly Fact['type'][], readonly string[]][]) {
    const { area } = projection;
    const unfinished = statuses.filter((status) => !LASTING[area]?.includes(status));

    it(`carries reason, since and deadline: ${area} ${unfinished.join(', ')}`, () => {
      const { rows, reached } = explore(projection, firsts);
      expect(reached, 'each of them is reached').to.include.members(unfinished);
      for (const { by, row } of rows.filter(({ row }) => unfinished.includes(row.status))) {
        expect(row.reason, `the reason of ${row.status} after ${by}`).to.include.keys('code', 'message');
        expect(row.since, `since when it is ${row.status} after ${by}`).to.be.a('string');
        expect(row.deadline, `the deadline of ${row.status} after ${by}`).to.be.a('string');
      }
    });
  }
});
