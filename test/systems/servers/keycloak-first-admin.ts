import { z } from 'zod';
import type { KeycloakSystem } from './keycloak.ts';
import { createKeycloakAdmin } from './keycloak-admin.ts';

const Found = z.array(z.unknown());

const exists = async (keycloak: KeycloakSystem, realm: string, email: string): Promise<boolean> => {
  const query = new URLSearchParams({ username: email, exact: 'true' });
  const response = await fetch(`${keycloak.url}/admin/realms/${realm}/users?${query}`, {
    headers: { authorization: `Bearer ${await keycloak.adminToken()}` },
  });
  if (!response.ok) throw new Error(`Keycloak answered ${response.status} to a search for users`);
  return Found.parse(await response.json()).length > 0;
};

/** Makes the first admin of the realm of the settings, where there is none of that name. */
export const ensureAdmin = async (
  keycloak: KeycloakSystem,
  { email, password }: { email: string; password: string },
): Promise<void> => {
  const realm = keycloak.settings.KEYCLOAK_REALM ?? '';
  if (await exists(keycloak, realm, email)) return;
  const names = { first_name: 'First', last_name: 'Admin' };
  await createKeycloakAdmin(keycloak, realm).createUser({ email, password, ...names, groups: ['admins'] });
};
