import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startChildSystem } from '../harness/child-system.ts';
import { keptPort } from '../harness/ports.ts';
import { runCommand } from '../harness/run-command.ts';
import { keptSecret } from '../harness/secrets.ts';
import { NotToBeHad } from '../harness/system.ts';
import { cachedFolder } from './cache.ts';
import { debianProgram } from './debian.ts';
import { needJava } from './java.ts';
import { askKeycloak, launchKeycloak, makeHome } from './keycloak-process.ts';

const VERSION = '26.4.5';
const ARTIFACT = `org.keycloak:keycloak-quarkus-dist:${VERSION}:tar.gz`;
const COPY_GOAL = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
/** On a busy machine of two cores its first start takes a minute. */
export const KEYCLOAK_PATIENCE_MS = 240_000;

export interface KeycloakDistribution {
  version: string;
  java: string;
  /** Unpacked and built. */
  distribution: string;
  /** A database with its schema and the realm `master`, which takes longest at a first start. */
  database: string;
  /** Of the administrator in that database. */
  admin_password: string;
}

const fetchArchive = async (folder: string): Promise<string> => {
  const mvn = await debianProgram('mvn', ['maven']);
  try {
    const where = [`-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${folder}`];
    await runCommand(mvn, ['--batch-mode', COPY_GOAL, ...where], { cwd: folder, patience_ms: 15 * 60_000 });
  } catch (cause) {
    throw new NotToBeHad('keycloak', `Maven could not fetch ${ARTIFACT}`, cause);
  }
  return join(folder, `keycloak-quarkus-dist-${VERSION}.tar.gz`);
};

/** What a first start takes its time for, done once. */
const makeDatabase = async (java: string, folder: string): Promise<void> => {
  const distribution = join(folder, 'distribution');
  const home = join(folder, 'home');
  const admin_password = await keptSecret(folder, 'admin');
  await makeHome(home, distribution);
  const [port, management_port] = [await keptPort(home, 'http'), await keptPort(home, 'management')];
  const once = await startChildSystem({
    name: 'keycloak',
    version: VERSION,
    settings: {},
    dir: home,
    launch: launchKeycloak({ distribution, java, home, port, management_port, admin_password }),
    ask: () => askKeycloak(management_port),
    patience_ms: KEYCLOAK_PATIENCE_MS,
  });
  await once.close();
  await rename(join(home, 'data', 'h2'), join(folder, 'h2'));
  await rm(home, { recursive: true });
};

const install = async (java: string, folder: string): Promise<void> => {
  const archive = await fetchArchive(folder);
  await runCommand('tar', ['-xzf', archive, '-C', folder]);
  await rm(archive);
  const distribution = join(folder, 'distribution');
  await rename(join(folder, `keycloak-${VERSION}`), distribution);
  const build = ['build', '--db=dev-file', '--health-enabled=true'];
  await runCommand(join(distribution, 'bin', 'kc.sh'), build, { env: { JAVA: java } });
  await makeDatabase(java, folder);
  const said = await runCommand(join(distribution, 'bin', 'kc.sh'), ['--version'], { env: { JAVA: java } });
  if (!said.includes(VERSION)) throw new NotToBeHad('keycloak', `it says of itself only: ${said.trim()}`);
};

/** Keycloak from Maven Central, ready to be started. Throws `NotToBeHad`. */
export const needKeycloak = async (): Promise<KeycloakDistribution> => {
  const java = await needJava('keycloak');
  const folder = await cachedFolder(`keycloak-${VERSION}`, (unfinished) => install(java, unfinished));
  return {
    version: `keycloak ${VERSION}`,
    java,
    distribution: join(folder, 'distribution'),
    database: join(folder, 'h2'),
    admin_password: (await readFile(join(folder, 'admin.secret'), 'utf8')).trim(),
  };
};
