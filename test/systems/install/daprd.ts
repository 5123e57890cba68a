import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { needGo, runGo } from './go.ts';

const Download = z.object({ Dir: z.string() });

/**
 * The components that are built in, by the names of the files that register them. All of Dapr's (cloud SDKs above all)
 * take ten times as long to compile.
 */
const BUILT_IN = /redis|sqlite|local_|localstorage|mdns|jetstream|nameresolution/;

/** The module's source as Go's proxy has it, copied to where it may be written to. */
const fetchSource = async (go: string, version: string, folder: string): Promise<void> => {
  const answer = await runGo(go, ['mod', 'download', '-json', `github.com/dapr/dapr@v${version}`]);
  const { Dir } = Download.parse(JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)));
  await cp(Dir, folder, { recursive: true });
  // The module cache is read-only, and so is its copy.
  await runCommand('chmod', ['-R', 'u+w', folder]);
};

const leaveOutComponents = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) if (!BUILT_IN.test(name)) await rm(join(folder, name));
};

/**
 * Builds `daprd` as the main module: `go install` refuses it, since its go.mod replaces modules. Its own Makefile builds
 * it with the same tag and sets the version the same way.
 */
export const buildDaprd = async (version: string, folder: string): Promise<void> => {
  const go = await needGo('daprd');
  const source = join(folder, 'source');
  await mkdir(source);
  try {
    await fetchSource(go, version, source);
    await leaveOutComponents(join(source, 'cmd', 'daprd', 'components'));
    const flags = `-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=${version}`;
    const program = join(folder, 'daprd');
    await runGo(go, ['build', '-tags', 'allcomponents', '-ldflags', flags, '-o', program, './cmd/daprd'], {
      cwd: source,
    });
  } catch (cause) {
    throw new NotToBeHad('daprd', 'building it from its source failed', cause);
  }
  await rm(source, { recursive: true });
};
