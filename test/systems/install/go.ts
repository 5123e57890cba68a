import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findOnPath, runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';

/** Compiling the larger ones takes several minutes on two cores. */
const PATIENCE_MS = 25 * 60_000;

/** The Go compiler. Throws `NotToBeHad` for the tool that needs it. */
export const needGo = async (tool: string): Promise<string> => {
  const go = await findOnPath('go');
  if (go === null)
    throw new NotToBeHad(tool, 'it is built from source, and there is no Go compiler (`go`) on the PATH');
  return go;
};

/** Runs `go` with no C compiler; what GOFLAGS, GOPROXY and GOTOOLCHAIN say holds. */
export const runGo = (
  go: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
) => runCommand(go, args, { ...options, env: { CGO_ENABLED: '0', ...options.env }, patience_ms: PATIENCE_MS });

/**
 * `go install <module>`, the program being put into `folder`. It is built into GOBIN of its own, since Go does not
 * rename what it installs into place.
 */
export const goInstall = async (tool: string, module: string, folder: string): Promise<void> => {
  const go = await needGo(tool);
  const bin = join(folder, 'bin');
  await mkdir(bin);
  try {
    await runGo(go, ['install', '-trimpath', module], { env: { GOBIN: bin } });
  } catch (cause) {
    throw new NotToBeHad(tool, `\`go install ${module}\` failed`, cause);
  }
  await copyFile(join(bin, tool), join(folder, tool));
  await rm(bin, { recursive: true });
};
