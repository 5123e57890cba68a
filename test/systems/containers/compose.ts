import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { runCommand } from '../harness/run-command.ts';
import { cachedFolder } from '../install/cache.ts';
import { goInstall } from '../install/go.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CHECKER = 'v2.16.2';
/** `${NAME:?what to do}` */
const VARIABLE = /\$\{(\w+):\?[^}]*\}/g;

const Volume = z.looseObject({
  type: z.string(),
  source: z.string(),
  target: z.string(),
  read_only: z.boolean().optional(),
});
const Service = z.looseObject({
  image: z.string(),
  user: z.string().optional(),
  entrypoint: z.array(z.string()).nullish(),
  command: z.array(z.string()).nullish(),
  environment: z.record(z.string(), z.string()).default({}),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).default({}),
  network_mode: z.string().optional(),
  ports: z
    .array(z.looseObject({ host_ip: z.string().optional(), published: z.string(), target: z.number() }))
    .default([]),
  volumes: z.array(Volume).default([]),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  restart: z.string().optional(),
});
const Stack = z.looseObject({ services: z.record(z.string(), Service), volumes: z.record(z.string(), z.unknown()) });
export type Service = z.output<typeof Service>;

/** The reference implementation of the Compose Specification, which Docker Compose itself is built on. */
const needChecker = async (): Promise<string> => {
  const folder = await cachedFolder(`compose-go-${CHECKER}`, (unfinished) =>
    goInstall('cmd', `github.com/compose-spec/compose-go/v2/cmd@${CHECKER}`, unfinished),
  );
  return join(folder, 'cmd');
};

export const readComposeFile = (): Promise<string> => readFile(join(ROOT, 'docker-compose.yml'), 'utf8');

/** The variables that have to be set. */
export const variablesOf = (text: string): string[] => [
  ...new Set([...text.matchAll(VARIABLE)].map(([, name]) => name ?? '')),
];

/** `docker compose config`: the file is read, checked and written out in full. Throws `NotToBeHad`. */
export const createComposeReader = async (dir: string) => {
  const checker = await needChecker();
  const read = async (text: string) => {
    const file = join(dir, 'docker-compose.yml');
    await writeFile(file, text);
    return runCommand(checker, ['-format', 'json', '-no-path-resolution', file], { cwd: dir });
  };
  return {
    /** As it is, with nothing set. */
    readBare: async () => read(await readComposeFile()),
    /** The checker has no variables of its own, so they are filled in before. */
    readWith: async (values: Readonly<Record<string, string>>) => {
      const text = await readComposeFile();
      const filled = text.replaceAll(VARIABLE, (_all, name: string) => values[name] ?? '');
      return Stack.parse(JSON.parse(await read(filled)));
    },
  };
};
