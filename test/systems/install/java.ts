import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findOnPath, runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { installDebianPackage } from './debian.ts';

const JVM_FOLDER = '/usr/lib/jvm';
const PACKAGES = ['openjdk-21-jre-headless', 'openjdk-17-jre-headless'];
const OLDEST = 17;

const majorOf = async (java: string): Promise<number> => {
  try {
    // `openjdk version "17.0.15" 2025-04-15`
    return Number(/version "(\d+)/.exec(await runCommand(java, ['-version']))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

const findJava = async (): Promise<string | null> => {
  const homes = await readdir(JVM_FOLDER).catch(() => []);
  const candidates = [
    ...(process.env.JAVA_HOME ? [join(process.env.JAVA_HOME, 'bin', 'java')] : []),
    await findOnPath('java'),
    ...homes.map((home) => join(JVM_FOLDER, home, 'bin', 'java')),
  ];
  for (const java of candidates) if (java !== null && (await majorOf(java)) >= OLDEST) return java;
  return null;
};

/** A Java of version 17 or later, installed where there is none. */
export const needJava = async (tool: string): Promise<string> => {
  const found = await findJava();
  if (found !== null) return found;
  await installDebianPackage(tool, PACKAGES);
  const installed = await findJava();
  if (installed === null) throw new NotToBeHad(tool, `there is no Java ${OLDEST} or later, even after installing one`);
  return installed;
};
