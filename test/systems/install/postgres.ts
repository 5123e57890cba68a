import { access, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findOnPath, runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { installDebianPackage } from './debian.ts';

/** Debian keeps the servers off the PATH, side by side. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';
const OLDEST = 15;

export interface PostgresPrograms {
  /** `postgres 15.18` */
  version: string;
  /** Holds `postgres`, `initdb`, `pg_dump` and so on. */
  folder: string;
}

const hasServer = (folder: string): Promise<boolean> =>
  access(join(folder, 'initdb')).then(
    () => true,
    () => false,
  );

const findFolder = async (major: number | undefined): Promise<string | null> => {
  const versions = (await readdir(DEBIAN_FOLDER).catch(() => []))
    .filter((name) => (major === undefined ? Number(name) >= OLDEST : Number(name) === major))
    .sort((a, b) => Number(b) - Number(a));
  const onPath = major === undefined ? await findOnPath('postgres') : null;
  const folders = versions.map((name) => join(DEBIAN_FOLDER, name, 'bin'));
  for (const folder of onPath === null ? folders : [...folders, dirname(onPath)])
    if (await hasServer(folder)) return folder;
  return null;
};

/** The newest server that the machine has from version 15 on, or that major version; installed where there is none. Throws `NotToBeHad`. */
export const needPostgres = async (major?: number): Promise<PostgresPrograms> => {
  const found = await findFolder(major);
  const packageName = major === undefined ? 'postgresql' : `postgresql-${major}`;
  if (found === null) await installDebianPackage('postgres', [packageName]);
  const folder = found ?? (await findFolder(major));
  if (folder === null)
    throw new NotToBeHad('postgres', `${packageName} brings no server of version ${major ?? OLDEST}`);
  // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
  const version = /PostgreSQL\) (\S+)/.exec(await runCommand(join(folder, 'postgres'), ['--version']))?.[1];
  if (version === undefined) throw new NotToBeHad('postgres', `${folder}/postgres does not say its version`);
  return { version: `postgres ${version}`, folder };
};
