import { expect } from 'chai';
import fc from 'fast-check';
import { createLogFilter } from '../../../src/adapters/log-filter.ts';
import { tellsRemovalOf } from '../../../src/api/live/access-change.ts';
import { frameOfEvent } from '../../../src/api/live/frame.ts';
import { isWanted, replayFilter } from '../../../src/api/live/subscription.ts';
import type { Access } from '../../../src/commands/access.ts';
import { maySeeOf } from '../../../src/commands/may-see.ts';
import { Area, streamOf } from '../../../src/events/catalog.ts';
import { Position } from '../../../src/events/event.ts';
import { ProjectId, UserId } from '../../../src/events/ids.ts';
import type { Scope } from '../../../src/events/values.ts';
import { visibility } from '../../../src/events/visibility.ts';
import { fact } from '../../commands/fixture.ts';
import { anEvent, fresh } from '../../projections/facts.ts';

const projects = Array.from({ length: 3 }, () => fresh(ProjectId));
const user_id = fresh(UserId);
const ids = [...projects, user_id, fresh(UserId)];
const position = Position.parse('0000000000000001');

const views: Scope[] = ['project:view', 'endpoint:view', 'model:view', 'cluster:view', 'user:view'];
const scopes = fc.subarray(views, { maxLength: 3 });
const access: fc.Arbitrary<Access> = fc.record({
  role: fc.constantFrom('admin' as const, 'developer' as const, 'viewer' as const),
  scopes: scopes.map((list) => new Set(list)),
  projects: fc
    .dictionary(fc.constantFrom(...projects), scopes)
    .map(
      (held) =>
        new Map(
          Object.entries(held).map(([id, list]): [ProjectId, Set<Scope>] => [ProjectId.parse(id), new Set(list)]),
        ),
    ),
});
const filter = fc.record(
  { project: fc.constantFrom(...projects), area: fc.constantFrom(...Area.options), resource: fc.constantFrom(...ids) },
  { requiredKeys: [] },
);
const happened = fc.record({
  area: fc.constantFrom(...Area.options),
  id: fc.constantFrom(...ids),
  project: fc.constantFrom(...projects),
  hasProject: fc.boolean(),
  removal: fc.constantFrom(null, user_id, fresh(UserId)),
  isDeletion: fc.boolean(),
});

describe('what a replay reads of the log', () => {
  it('is never less than what the client gets', () => {
    fc.assert(
      fc.property(access, filter, happened, (given, wanted, { area, id, project, hasProject, removal, isDeletion }) => {
        const own = visibility[area].project;
        const project_id = own === 'own-id' ? ProjectId.parse(id) : own === 'project_id' && hasProject ? project : null;
        const isRemoval = removal !== null && area === 'project';
        const told = isRemoval
          ? isDeletion
            ? fact('ProjectDeleted', { member_ids: [removal] })
            : fact('ProjectMemberRemoved', { user_id: removal })
          : fact('ProjectDescribed');
        const event = { ...anEvent(told), stream: streamOf(area, id), revision: 0, position, at: '' };
        const frame = frameOfEvent(event, { area, id, project_id });
        const caller = { user_id, access: given };
        const always = tellsRemovalOf(frame.fact, user_id);
        const gets = (always || maySeeOf(caller, { area, id, project_id })) && isWanted(wanted, frame, { always });
        if (gets) expect(createLogFilter(replayFilter(caller, wanted))(event)).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is one stream for one resource, and own projects for somebody who sees no other', () => {
    const [mine = fresh(ProjectId)] = projects;
    const given: Access = {
      role: 'developer',
      scopes: new Set(),
      projects: new Map([[mine, new Set(['project:view'])]]),
    };
    const caller = { user_id, access: given };
    expect(replayFilter(caller, { area: 'endpoint', resource: mine })).to.deep.include({
      streams: [`endpoint-${mine}`],
      streamPrefixes: [],
    });
    expect(replayFilter(caller, { area: 'project' })).to.deep.include({
      streams: [`project-${mine}`],
      streamPrefixes: [],
    });
    const all = replayFilter(caller, {});
    expect(all.streams).to.have.members([`project-${mine}`, `user-${user_id}`]);
    expect(all.streamPrefixes).to.include.members(['model-', 'cluster-', 'workflow-']);
    expect(all.streamPrefixes).to.not.include.oneOf(['project-', 'user-', 'endpoint-']);
  });
});
