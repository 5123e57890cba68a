import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Launch } from '../harness/child-process.ts';

const ADMIN_USER = 'admin';
/** Less memory than its defaults, and ready sooner: it serves tests, not traffic. */
const JVM_OPTIONS = '-Xms128m -Xmx512m -XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1';
/** What only reads: shared between all that run from one distribution. */
const SHARED = ['lib', 'providers', 'themes', 'conf'];

export interface KeycloakProcess {
  /** The unpacked distribution, built. */
  distribution: string;
  java: string;
  /** What it writes: `data/h2` is its database, `data/import` holds realms to be imported at a start. */
  home: string;
  port: number;
  management_port: number;
  admin_password: string;
  env?: Readonly<Record<string, string>>;
}

/** Makes a home of its own over the shared distribution. */
export const makeHome = async (home: string, distribution: string): Promise<void> => {
  await mkdir(join(home, 'data', 'import'), { recursive: true });
  for (const name of SHARED) {
    const link = join(home, name);
    await rm(link, { force: true });
    await symlink(join(distribution, name), link);
  }
};

/** How Keycloak is started over such a home: plain HTTP on loopback, H2 on disk, caches of its own. */
export const launchKeycloak = (options: KeycloakProcess): Launch => {
  const { distribution, java, home, port, management_port, admin_password, env } = options;
  return {
    program: join(distribution, 'bin', 'kc.sh'),
    args: [
      `-Dkc.home.dir=${home}`,
      'start',
      '--optimized',
      '--import-realm',
      '--cache=local',
      '--http-enabled=true',
      '--http-host=127.0.0.1',
      `--http-port=${port}`,
      `--http-management-port=${management_port}`,
    ],
    env: {
      JAVA: java,
      JAVA_OPTS_KC_HEAP: JVM_OPTIONS,
      KC_HOSTNAME: `http://127.0.0.1:${port}`,
      KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN_USER,
      KC_BOOTSTRAP_ADMIN_PASSWORD: admin_password,
      ...env,
    },
    cwd: home,
  };
};

/** Rejects while it is not ready. */
export const askKeycloak = async (managementPort: number): Promise<void> => {
  const response = await fetch(`http://127.0.0.1:${managementPort}/health/ready`, {
    signal: AbortSignal.timeout(5000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`Keycloak's health check answered ${response.status}`);
};

export const adminOf = (password: string) => ({ user: ADMIN_USER, password });
