import type { KeycloakSystem } from './keycloak.ts';

export interface NewUser {
  email: string;
  password: string;
  first_name?: string;
  last_name?: string;
  groups?: readonly string[];
  tenant_id?: string;
}

type Json = Record<string, unknown>;

/** What an administrator does by hand, over Keycloak's administration API. */
export const createKeycloakAdmin = (keycloak: KeycloakSystem, realm: string) => {
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(`${keycloak.url}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${await keycloak.adminToken()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  const read = async <T>(path: string) => (await (await ask('GET', path)).json()) as T;
  const madeId = (response: Response): string => response.headers.get('location')?.split('/').pop() ?? '';

  const clientOf = async (client_id: string) => {
    const [client] = await read<(Json & { id: string; attributes: Json })[]>(`/${realm}/clients?clientId=${client_id}`);
    if (!client) throw new Error(`no client ${client_id}`);
    return client;
  };

  return {
    /** A realm like `template`, under another name. */
    createRealm: async (template: Json) => {
      await ask('POST', '', { ...template, realm });
    },
    createUser: async ({
      email,
      password,
      first_name = 'Ada',
      last_name = 'Lovelace',
      groups = [],
      tenant_id,
    }: NewUser) =>
      madeId(
        await ask('POST', `/${realm}/users`, {
          username: email,
          email,
          firstName: first_name,
          lastName: last_name,
          enabled: true,
          emailVerified: true,
          credentials: [{ type: 'password', value: password, temporary: false }],
          groups: groups.map((group) => `/${group}`),
          ...(tenant_id === undefined ? {} : { attributes: { tenant_id: [tenant_id] } }),
        }),
      ),
    createClient: async (client: Json) => {
      await ask('POST', `/${realm}/clients`, client);
    },
    changeClient: async (
      client_id: string,
      changes: { redirectUris?: string[]; secret?: string; attributes?: Json },
    ) => {
      const client = await clientOf(client_id);
      const attributes = { ...client.attributes, ...changes.attributes };
      await ask('PUT', `/${realm}/clients/${client.id}`, { ...client, ...changes, attributes });
    },
    changeRealm: async (changes: Json) => {
      await ask('PUT', `/${realm}`, changes);
    },
    disableUser: async (id: string) => {
      await ask('PUT', `/${realm}/users/${id}`, { enabled: false });
    },
    /** In these groups and no others from now on. */
    changeGroups: async (id: string, names: readonly string[]) => {
      const groups = await read<{ id: string; name: string }[]>(`/${realm}/groups`);
      for (const group of groups) {
        const method = names.includes(group.name) ? 'PUT' : 'DELETE';
        await ask(method, `/${realm}/users/${id}/groups/${group.id}`);
      }
    },
    /** Ends one session, as the button in the console does. */
    endSession: async (session_id: string) => {
      await ask('DELETE', `/${realm}/sessions/${session_id}`);
    },
    /** Ends all sessions of the user. Keycloak 26.4 sends one logout token for all of them. */
    signOut: async (id: string) => {
      await ask('POST', `/${realm}/users/${id}/logout`);
    },
    countSessions: async (id: string) => (await read<unknown[]>(`/${realm}/users/${id}/sessions`)).length,
    /** A new signing key that comes before all others. */
    addSigningKey: async (providerId: 'rsa-generated' | 'ecdsa-generated') => {
      const { id: parentId } = await read<{ id: string }>(`/${realm}`);
      await ask('POST', `/${realm}/components`, {
        name: `rotated-${Date.now()}`,
        providerId,
        providerType: 'org.keycloak.keys.KeyProvider',
        parentId,
        config: { priority: ['1000'], enabled: ['true'], active: ['true'] },
      });
    },
  };
};

export type KeycloakAdmin = ReturnType<typeof createKeycloakAdmin>;
