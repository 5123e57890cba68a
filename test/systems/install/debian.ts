import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findOnPath, runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { cacheFolder, whileLocked } from './cache.ts';

/** What keeps a package from starting its service and from making a database, while it is installed. */
const RESTRAINTS = [
  { file: '/usr/sbin/policy-rc.d', content: '#!/bin/sh\nexit 101\n', mode: 0o755 },
  { file: '/etc/postgresql-common/createcluster.d/budapp.conf', content: 'create_main_cluster = false\n', mode: 0o644 },
];

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const whileRestrained = async (work: () => Promise<void>): Promise<void> => {
  const placed: string[] = [];
  try {
    for (const { file, content, mode } of RESTRAINTS) {
      // The machine's own word holds.
      if (await exists(file)) continue;
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode });
      placed.push(file);
    }
    await work();
  } finally {
    for (const file of placed) await rm(file, { force: true });
  }
};

const aptGet = (args: readonly string[]): Promise<string> =>
  runCommand('apt-get', ['-o', 'DPkg::Lock::Timeout=300', '-y', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    patience_ms: 10 * 60_000,
  });

/**
 * Installs packages of Debian (or Ubuntu); of several names the first that it has. Leaves no service running. Throws
 * `NotToBeHad` where that is not possible.
 */
export const installDebianPackage = async (tool: string, candidates: readonly string[]): Promise<void> => {
  const names = candidates.join(' or ');
  if ((await findOnPath('apt-get')) === null)
    throw new NotToBeHad(tool, `it is not installed, and there is no apt-get to install ${names} with`);
  if (process.getuid?.() !== 0)
    throw new NotToBeHad(tool, `it is not installed, and only root may \`apt-get install ${candidates[0]}\``);
  await mkdir(cacheFolder(), { recursive: true });
  await whileLocked(join(cacheFolder(), 'debian.lock'), () =>
    whileRestrained(async () => {
      const failures: unknown[] = [];
      await aptGet(['update']).catch((error: unknown) => failures.push(error));
      for (const name of candidates) {
        try {
          await aptGet(['install', '--no-install-recommends', name]);
          return;
        } catch (error) {
          failures.push(error);
        }
      }
      throw new NotToBeHad(tool, `\`apt-get install\` of ${names} failed`, new AggregateError(failures));
    }),
  );
};

/** The path of a program that a package of Debian brings; installed where it is not there yet. */
export const debianProgram = async (tool: string, packages: readonly string[]): Promise<string> => {
  const found = await findOnPath(tool);
  if (found !== null) return found;
  await installDebianPackage(tool, packages);
  const installed = await findOnPath(tool);
  if (installed === null) throw new NotToBeHad(tool, `${packages.join(' or ')} is installed, but brings no ${tool}`);
  return installed;
};
