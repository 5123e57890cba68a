import { setTimeout as sleep } from 'node:timers/promises';
import { systemCaller } from '../../commands/access.ts';
import type { AnyCommand } from '../../commands/command.ts';
import type { Outcome } from '../../commands/engine/handle.ts';
import { createDefaultProject } from '../../commands/project/internal/create-default-project.ts';
import { registerUser } from '../../commands/user/internal/register-user.ts';
import { Rejected } from '../../errors.ts';
import { CommandId, commandIdOf, newId, type UserId } from '../../events/ids.ts';
import type { Claims } from '../../ports/identity.ts';
import type { ApiServices } from '../services.ts';

type StoredAccess = Awaited<ReturnType<ApiServices['readModels']['findAccess']>>;

interface Person {
  claims: Claims;
  user_id: UserId;
}

const READ_MODEL_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

const FIRST_LOGIN = { type: 'process', id: 'first-login', name: 'first login' } as const;

/** Runs a command; null where it is refused with `code`, because the user or project exists already. */
const unlessExists = async (code: string, run: () => Promise<Outcome>): Promise<Outcome | null> => {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Rejected && error.code === code) return null;
    throw error;
  }
};

/**
 * Registers the user and creates the default project where the read model does not have them yet. The command ids are
 * derived from the user's id: concurrent first logins create only one of each, and a login after a crash creates what
 * is missing.
 */
export const provisionUser = async (services: ApiServices, person: Person, found: StoredAccess) => {
  if (found?.has_default_project) return found;
  const { handle, readModels } = services;
  const { claims, user_id } = person;
  const perform = (command: AnyCommand, data: unknown, purpose: string) =>
    handle(command, data, {
      caller: systemCaller(claims.tenant_id, FIRST_LOGIN),
      command_id: commandIdOf(`${purpose}:${user_id}`),
      correlation_id: newId(CommandId),
      may_repeat: true,
    });

  const { subject, email, name } = claims;
  const role = claims.role ?? 'viewer';
  const registered = found
    ? null
    : await unlessExists('user-exists', () =>
        perform(registerUser, { user_id, subject, email, name, role }, 'register-user'),
      );
  if (registered?.position) {
    await readModels.waitFor(['users'], registered.position, { timeout_ms: READ_MODEL_TIMEOUT_MS });
  }
  const access = found ?? (await waitForAccess(services, person));
  const project = { project_id: access.default_project_id, name: `default-${user_id.slice(0, 8)}`, owner_id: user_id };
  const created = await unlessExists('project-exists', () => perform(createDefaultProject, project, 'default-project'));
  if (created?.position) {
    await readModels.waitFor(['projects'], created.position, { timeout_ms: READ_MODEL_TIMEOUT_MS });
  }
  return waitForAccess(services, person);
};

const waitForAccess = async ({ readModels }: ApiServices, { claims, user_id }: Person) => {
  const end = Date.now() + READ_MODEL_TIMEOUT_MS;
  for (;;) {
    const access = await readModels.findAccess({ tenant_id: claims.tenant_id, user_id });
    if (access) return access;
    if (Date.now() > end) {
      throw new Rejected('unavailable', 'read-model-behind', 'The new user is not visible yet.', {
        retryAfterSeconds: 1,
      });
    }
    await sleep(POLL_MS);
  }
};
