import { notFound, Rejected } from '../../errors.ts';
import type { Area } from '../../events/catalog.ts';
import type { ProjectId } from '../../events/ids.ts';
import { Scope } from '../../events/values.ts';
import { projectOf } from '../../events/visibility.ts';
import { allows, type Caller, type Permission } from '../access.ts';
import type { AnyCommand } from '../command.ts';
import type { Loaded } from './load.ts';

/** The refusal for a caller without the permission. */
export const notPermitted = ({ type }: Pick<AnyCommand, 'type'>, permission: Permission): Rejected =>
  new Rejected(
    'forbidden',
    'not-permitted',
    permission === 'system' ? `${type} can be sent by BudApp only.` : `${type} requires the scope ${permission}.`,
  );

const permissionFor = ({ permission }: AnyCommand, state: unknown): Permission =>
  typeof permission === 'string' ? permission : permission.of(state);

/** The view scope that belongs to a manage scope. */
const viewOf = (permission: Scope): Scope => Scope.parse(permission.replace(/:manage$/, ':view'));

/** Throws `Rejected` `forbidden` where a user sends a command of the system, whether or not the aggregate exists. */
export const refuseSystemCommand = (command: AnyCommand, { access }: Caller): void => {
  if (command.permission === 'system' && access !== 'system') throw notPermitted(command, 'system');
};

interface AccessCheck {
  permission: Permission;
  area: Area;
  id: string;
  project_id: ProjectId | null;
}

const assertAllowed = (
  command: AnyCommand,
  { access }: Caller,
  { permission, area, id, project_id }: AccessCheck,
): void => {
  if (allows(access, permission, project_id)) return;
  // An aggregate that the caller may not see is answered like an unknown one.
  if (permission !== 'system' && !allows(access, viewOf(permission), project_id)) throw notFound(area, id);
  throw notPermitted(command, permission);
};

/** Throws `Rejected` where the caller may not create an aggregate in the project that the data names. */
export const authoriseCreation = (command: AnyCommand, data: unknown, caller: Caller): void => {
  const project_id = command.project?.(data) ?? null;
  const permission = permissionFor(command, null);
  if (project_id !== null) assertAllowed(command, caller, { permission, area: 'project', id: project_id, project_id });
  else if (!allows(caller.access, permission, null)) throw notPermitted(command, permission);
};

const projectIn = (state: unknown): unknown =>
  typeof state === 'object' && state !== null && 'project_id' in state ? state.project_id : undefined;

/**
 * Throws `Rejected` where the caller may not change the aggregate. The aggregate's own tenant and project decide, never
 * the request's.
 */
export const authoriseChange = (command: AnyCommand, loaded: Loaded<unknown>, caller: Caller): void => {
  const { aggregate } = command;
  const { area } = aggregate;
  const id = loaded.stream.slice(area.length + 1);
  const { state } = loaded;
  if (state === null || loaded.tenant_id !== caller.tenant_id) throw notFound(area, id);
  assertAllowed(command, caller, {
    permission: permissionFor(command, state),
    area,
    id,
    project_id: projectOf(area, { id, project_id: projectIn(state) }),
  });
};
