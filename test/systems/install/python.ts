import { join } from 'node:path';
import { findOnPath, runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { cachedFolder } from './cache.ts';

/** A package of PyPI at one version, as a folder that is put on PYTHONPATH. */
interface PythonPackage {
  python: string;
  folder: string;
}

/** Installs a package, with what it needs, into the cache where it is not there yet. Throws `NotToBeHad`. */
export const needPythonPackage = async (name: string, version: string): Promise<PythonPackage> => {
  const python = await findOnPath('python3');
  if (python === null) throw new NotToBeHad(name, 'it is a Python package, and there is no `python3` on the PATH');
  // What it compiled fits this Python only.
  const [minor] = /3\.\d+/.exec(await runCommand(python, ['--version'])) ?? ['3'];
  const folder = await cachedFolder(`${name}-${version}-python${minor}`, async (unfinished) => {
    const target = ['--target', unfinished, '--disable-pip-version-check', '--no-input', '--quiet'];
    try {
      await runCommand(python, ['-m', 'pip', 'install', ...target, `${name}==${version}`]);
    } catch (cause) {
      throw new NotToBeHad(name, `\`pip install ${name}==${version}\` failed`, cause);
    }
  });
  return { python, folder };
};

/** The path of a program that the package brings. */
export const pythonProgram = async (name: string, version: string, program: string): Promise<string> =>
  join((await needPythonPackage(name, version)).folder, 'bin', program);
