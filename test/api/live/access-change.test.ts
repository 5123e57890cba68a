import { expect } from 'chai';
import fc from 'fast-check';
import {
  accessChangeFor,
  accessFactOfEvent,
  accessFactOfMessage,
  followAccess,
} from '../../../src/api/live/access-change.ts';
import { OWNER_SCOPES } from '../../../src/commands/access.ts';
import { type Fact, type ProjectFact, type Recorded, toFact, type UserFact } from '../../../src/events/catalog.ts';
import { Position } from '../../../src/events/event.ts';
import { ProjectId, UserId } from '../../../src/events/ids.ts';
import type { Scope } from '../../../src/events/values.ts';
import { type RowStamp, reduce } from '../../../src/projections/projection.ts';
import { type ProjectRow, projects } from '../../../src/projections/projects.ts';
import { toStatusMessage } from '../../../src/projections/status-message.ts';
import { type UserRow, users } from '../../../src/projections/users.ts';
import { fact } from '../../commands/fixture.ts';
import { anEvent, fresh } from '../../projections/facts.ts';

const me = fresh(UserId);
const other = fresh(UserId);
const ids = [fresh(ProjectId), fresh(ProjectId)];

const user_id = fc.constantFrom(me, other);
const project_id = fc.constantFrom(...ids);
const scopes = fc.subarray<Scope>(['project:view', 'endpoint:view', 'endpoint:manage']);
const role = fc.constantFrom('developer' as const, 'viewer' as const);
const happened: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({ project_id, user_id, scopes }).map((data) => fact('ProjectMemberAdded', data)),
  fc.record({ project_id, user_id, scopes }).map((data) => fact('ProjectMemberScopesChanged', data)),
  fc.record({ project_id, user_id }).map((data) => fact('ProjectMemberRemoved', data)),
  fc.record({ project_id }).map((data) => fact('ProjectDescribed', data)),
  fc.record({ user_id, role, scopes }).map((data) => fact('UserPermissionsChanged', data)),
  fc.record({ user_id, role }).map((data) => fact('UserProviderRoleChanged', data)),
  fc.record({ user_id }).map((data) => fact('UserDisabled', data)),
  fc.record({ user_id }).map((data) => fact('UserReactivated', data)),
);

const isBeginning = ({ type }: Fact): boolean => type === 'UserRegistered' || type === 'ProjectCreated';

const recorded = (event: Fact, index: number): Recorded =>
  toFact({
    ...anEvent(event),
    stream: 'project_id' in event.data ? `project-${event.data.project_id}` : `user-${me}`,
    revision: isBeginning(event) ? 0 : index + 1,
    position: Position.parse(String(index + 1).padStart(16, '0')),
    at: '2026-01-01T00:00:00.000Z',
  });

const isMine = (event: Recorded): event is Recorded<UserFact> =>
  event.type.startsWith('User') && 'user_id' in event.data && event.data.user_id === me;
const isOf = (id: ProjectId, event: Recorded): event is Recorded<ProjectFact> =>
  event.type.startsWith('Project') && 'project_id' in event.data && event.data.project_id === id;

/** Access as the query of the read models tells it, of rows that their reducers made. */
const byReadModels = (history: readonly Recorded[]) => {
  let row: (UserRow & RowStamp) | null = null;
  for (const event of history) if (isMine(event)) row = reduce(users, row, event);
  const held = new Map<ProjectId, Set<Scope>>();
  for (const id of ids) {
    let project: (ProjectRow & RowStamp) | null = null;
    for (const event of history) if (isOf(id, event)) project = reduce(projects, project, event);
    if (!project || project.status === 'deleted') continue;
    const { [me]: given } = project.members;
    if (project.owner_id === me) held.set(id, new Set([...OWNER_SCOPES, ...(given ?? [])]));
    else if (given) held.set(id, new Set(given));
  }
  return { role: row?.role, scopes: new Set(row?.scopes), projects: held, disabled: row?.status === 'disabled' };
};

describe('access that follows the log', () => {
  it('is what the read models say, at each position, from events and from status messages alike', () => {
    const beginning = [
      fact('UserRegistered', { user_id: me, role: 'developer' }),
      ...ids.map((id, index) => fact('ProjectCreated', { project_id: id, owner_id: index === 0 ? me : other })),
    ];
    const notOwner = (event: Fact): boolean =>
      !(
        'user_id' in event.data &&
        event.data.user_id === me &&
        'project_id' in event.data &&
        event.data.project_id === ids[0]
      );
    fc.assert(
      fc.property(fc.array(happened, { maxLength: 30 }), fc.nat(30), (list, deleted) => {
        // An owner is never a member besides, and nothing follows a deletion.
        const events = list
          .filter(notOwner)
          .map((event, n) =>
            n === deleted ? fact('ProjectDeleted', { project_id: ids[1] ?? fresh(ProjectId) }) : event,
          );
        const end = events.findIndex(({ type }) => type === 'ProjectDeleted');
        const happenings = events.filter((event, n) => end < 0 || n <= end || !('project_id' in event.data));
        const history = [...beginning, ...happenings].map(recorded);
        const start = byReadModels(history.slice(0, 1));
        const [fromEvents, fromMessages] = [0, 1].map(() =>
          followAccess({ role: 'developer', scopes: start.scopes, projects: new Map() }),
        );
        for (const [index, event] of history.entries()) {
          const payload = toStatusMessage(event, { project_id: null, previous: null })?.payload ?? '';
          const changes = [accessFactOfEvent(event), accessFactOfMessage(JSON.parse(payload))].map((told) =>
            accessChangeFor(told, me),
          );
          if (changes[0]) expect(fromEvents?.apply(changes[0])).to.equal(true);
          if (changes[1]) expect(fromMessages?.apply(changes[1])).to.equal(true);
          const expected = byReadModels(history.slice(0, index + 1));
          for (const followed of [fromEvents, fromMessages])
            expect({ ...followed?.access(), disabled: followed?.isDisabled() }).to.deep.equal(expected);
        }
      }),
    );
  });

  it('must be looked up where a role is taken from an administrator, or a fact cannot be read', () => {
    const admin = followAccess({ role: 'admin', scopes: new Set(), projects: new Map() });
    expect(admin.apply({ kind: 'role', role: 'viewer', scopes: null })).to.equal(false);
    const change = accessChangeFor(accessFactOfEvent({ type: 'ProjectMemberRemoved', data: { member: me } }), me);
    expect(change && admin.apply(change)).to.equal(false);
  });
});
