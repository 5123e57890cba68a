import { copyFile, cp, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import { keptSecret } from '../harness/secrets.ts';
import type { System } from '../harness/system.ts';
import { KEYCLOAK_PATIENCE_MS, type KeycloakDistribution, needKeycloak } from '../install/keycloak.ts';
import { adminOf, askKeycloak, launchKeycloak, makeHome } from '../install/keycloak-process.ts';

/** The realm that the project ships. */
const SHIPPED_REALM = fileURLToPath(new URL('../../../deploy/keycloak/bud-serve-realm.json', import.meta.url));
const CLIENT_ID = 'bud-serve-app';

interface KeycloakOptions {
  dir: string;
  /** Imported at the first start, the first one's realm being that of the settings; default: the one the project ships. */
  realm_files?: readonly string[];
  /** What the realm files' placeholders stand for, besides `KEYCLOAK_CLIENT_SECRET`. */
  env?: Readonly<Record<string, string>>;
}

export interface KeycloakSystem extends System {
  url: string;
  /** The administrator of the realm `master`. */
  admin: { user: string; password: string };
  /** A token for the administration API, good for a minute. */
  adminToken(): Promise<string>;
}

const RealmFile = z.object({ realm: z.string() });
const Tokens = z.object({ access_token: z.string() });

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Links the distribution, puts the realm files in place, and begins with the prepared database. */
const prepareHome = async (home: string, keycloak: KeycloakDistribution, realmFiles: readonly string[]) => {
  await makeHome(home, keycloak.distribution);
  const imports = join(home, 'data', 'import');
  await rm(imports, { recursive: true });
  await mkdir(imports);
  for (const file of realmFiles) await copyFile(file, join(imports, basename(file)));
  const database = join(home, 'data', 'h2');
  if (!(await exists(database))) await cp(keycloak.database, database, { recursive: true });
};

const firstRealm = async (files: readonly string[]): Promise<string> => {
  const [file] = files;
  return file === undefined ? 'master' : RealmFile.parse(JSON.parse(await readFile(file, 'utf8'))).realm;
};

const requestAdminToken = async (url: string, admin: KeycloakSystem['admin']): Promise<string> => {
  const response = await fetch(`${url}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: 'admin-cli',
      username: admin.user,
      password: admin.password,
    }),
  });
  if (!response.ok) throw new Error(`Keycloak refuses its administrator: ${response.status} ${await response.text()}`);
  return Tokens.parse(await response.json()).access_token;
};

/** Keycloak over plain HTTP on loopback, its data in H2 below `dir`; the client secret is made at the first start. */
export const startKeycloak = async ({ dir, realm_files = [SHIPPED_REALM], env = {} }: KeycloakOptions) => {
  const keycloak = await needKeycloak();
  await claimFolder(dir, 'keycloak');
  const home = join(dir, 'keycloak');
  await prepareHome(home, keycloak, realm_files);
  const [port, management_port] = [await keptPort(dir, 'keycloak'), await keptPort(dir, 'keycloak-management')];
  const client_secret = await keptSecret(dir, 'keycloak-client');
  const realm = await firstRealm(realm_files);
  const url = `http://127.0.0.1:${port}`;
  const admin = adminOf(keycloak.admin_password);
  const system = await startChildSystem({
    name: 'keycloak',
    version: keycloak.version,
    dir,
    settings: {
      KEYCLOAK_URL: url,
      KEYCLOAK_REALM: realm,
      KEYCLOAK_CLIENT_ID: CLIENT_ID,
      KEYCLOAK_CLIENT_SECRET: client_secret,
    },
    launch: launchKeycloak({
      ...keycloak,
      home,
      port,
      management_port,
      env: { KEYCLOAK_CLIENT_SECRET: client_secret, ...env },
    }),
    ask: () => askKeycloak(management_port),
    patience_ms: KEYCLOAK_PATIENCE_MS,
  });
  return { ...system, url, admin, adminToken: () => requestAdminToken(url, admin) } satisfies KeycloakSystem;
};
