import { join } from 'node:path';
import { runCommand } from '../harness/run-command.ts';
import { NotToBeHad } from '../harness/system.ts';
import { cachedFolder } from './cache.ts';
import { buildDaprd } from './daprd.ts';
import { debianProgram } from './debian.ts';
import { goInstall } from './go.ts';

/** A program that can be run, and what it calls itself, for example `nats-server 2.15.2`. */
export interface Tool {
  program: string;
  version: string;
}

type ToolName = 'nats-server' | 'minio' | 'daprd' | 'helm' | 'redis-server';

interface Origin {
  /** What is asked of the cache and the installer; part of the cached folder's name. Absent: whatever the machine has. */
  version?: string;
  /** Puts the program, under the tool's name, into the folder. */
  install?: (folder: string) => Promise<void>;
  /** Where the machine has it, or gets it from its packages. */
  findElsewhere?: () => Promise<string>;
  /** How it says its version. */
  ask: readonly string[];
  /** Group 1 is the version. A program that answers anything else is not the one we mean. */
  answer: RegExp;
  /** What ours answers, where that is not `version`. */
  says?: string;
}

// MinIO tags no versions that Go knows; this is the commit of its last release.
const MINIO = '0.0.0-20260212201848-7aac2a2c5b7c';

const ORIGINS: Readonly<Record<ToolName, Origin>> = {
  'nats-server': {
    version: '2.15.2',
    install: (folder) => goInstall('nats-server', 'github.com/nats-io/nats-server/v2@v2.15.2', folder),
    findElsewhere: () => debianProgram('nats-server', ['nats-server']),
    ask: ['--version'],
    answer: /^nats-server: v(\S+)/,
  },
  minio: {
    version: MINIO,
    install: (folder) => goInstall('minio', `github.com/minio/minio@v${MINIO}`, folder),
    ask: ['--version'],
    answer: /^minio version (\S+)/,
    // What it calls every version that `go install` built.
    says: 'DEVELOPMENT.GOGET',
  },
  daprd: {
    version: '1.14.0',
    install: (folder) => buildDaprd('1.14.0', folder),
    ask: ['--version'],
    answer: /^(\d\S*)/,
  },
  helm: {
    version: '4.3.1',
    install: (folder) => goInstall('helm', 'helm.sh/helm/v4/cmd/helm@v4.3.1', folder),
    ask: ['version', '--short'],
    answer: /^v(\d+\.\d+)/,
    says: '4.3',
  },
  'redis-server': {
    findElsewhere: () => debianProgram('redis-server', ['redis-server']),
    ask: ['--version'],
    answer: /v=(\d\S*)/,
  },
};

const askVersion = async (name: ToolName, program: string): Promise<string> => {
  const { ask, answer } = ORIGINS[name];
  const said = await runCommand(program, ask, { patience_ms: 60_000 });
  const version = answer.exec(said.trim())?.[1];
  if (version === undefined) throw new NotToBeHad(name, `${program} says of itself only: ${said.trim()}`);
  return version;
};

/** The program of our version from the cache, built and asked before it counts as there. */
const fromCache = async (name: ToolName, { version = '', install, says = version }: Origin): Promise<Tool> => {
  if (install === undefined) throw new NotToBeHad(name, 'nothing says how to install it');
  const check = async (program: string): Promise<void> => {
    const said = await askVersion(name, program);
    if (said !== says) throw new NotToBeHad(name, `${program} says that it is version ${said}, not ${says}`);
  };
  const folder = await cachedFolder(`${name}-${version}`, async (unfinished) => {
    await install(unfinished);
    await check(join(unfinished, name));
  });
  const program = join(folder, name);
  await check(program);
  return { program, version: `${name} ${version}` };
};

/** Finds a tool, and installs it where it is not there yet. Throws `NotToBeHad`. */
export const needTool = async (name: ToolName): Promise<Tool> => {
  const origin = ORIGINS[name];
  const { install, findElsewhere } = origin;
  if (install !== undefined) {
    try {
      return await fromCache(name, origin);
    } catch (error) {
      if (!(error instanceof NotToBeHad) || findElsewhere === undefined) throw error;
    }
  }
  if (findElsewhere === undefined) throw new NotToBeHad(name, 'nothing says where to get it');
  const program = await findElsewhere();
  return { program, version: `${name} ${await askVersion(name, program)}` };
};
