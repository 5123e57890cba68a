import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Listr } from 'listr2';
import { explain } from '../../src/failures/failure-text.ts';
import type { System } from './harness/system.ts';
import { removeFolder, useFolder, writeEnvironment } from './servers/run-folder.ts';
import { runningSystems } from './servers/start-all.ts';
import { SYSTEM_NAMES, type SystemName, type SystemStart, systemStarts } from './servers/system-starts.ts';

const USAGE = `Runs the real systems on this machine, for BudApp to be started against them:

  npm run systems                   all of them, with their data in .systems/, until Ctrl-C
  npm run systems -- nats minio     only these, of ${SYSTEM_NAMES.join(', ')}
  npm run systems -- --install      only gets them onto this machine, and says what they are
  npm run systems -- --fresh        forgets the data of earlier runs first
  npm run systems -- --dir <folder> elsewhere`;

const isSystemName = (name: string): name is SystemName => SYSTEM_NAMES.some((known) => known === name);

const readArguments = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dir: { type: 'string', default: '.systems' },
      install: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = positionals.filter((name) => !isSystemName(name));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}; there are ${SYSTEM_NAMES.join(', ')}`);
  const only = positionals.filter(isSystemName);
  return { ...values, dir: resolve(values.dir), only: only.length > 0 ? only : SYSTEM_NAMES };
};

/** Does `work` for each, goes on where one fails, and answers the failures. */
const forEach = async (
  starts: readonly SystemStart[],
  options: { concurrent: boolean; work: (start: SystemStart) => Promise<string> },
): Promise<readonly string[]> => {
  const failures: string[] = [];
  const tasks = starts.map((start) => ({
    title: start.name,
    task: async (_: unknown, task: { title: string }) => {
      const began = performance.now();
      try {
        const said = await options.work(start);
        task.title = `${start.name}: ${said} (${((performance.now() - began) / 1000).toFixed(1)} s)`;
      } catch (error) {
        failures.push(explain(error));
        throw error;
      }
    },
  }));
  await new Listr(tasks, {
    concurrent: options.concurrent,
    exitOnError: false,
    fallbackRendererCondition: () => !process.stdout.isTTY,
  }).run();
  return failures;
};

const whereabouts = (system: System): string =>
  Object.entries(system.settings)
    .filter(([name]) => /_(URL|ENDPOINT|HOST|PORT)$/.test(name))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const endOfUse = (): Promise<void> =>
  new Promise((end) => {
    process.once('SIGINT', () => end()).once('SIGTERM', () => end());
  });

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const run = async (): Promise<number> => {
  const { dir, install, fresh, help, only } = readArguments();
  if (help) {
    say(USAGE);
    return 0;
  }
  if (fresh) await removeFolder(dir);
  await useFolder(dir);
  const starts = systemStarts(dir, only);
  // One after another: each install wants the whole machine.
  const missing = await forEach(starts, { concurrent: false, work: (start) => start.install() });
  for (const failure of missing) say(failure);
  if (install) return missing.length === 0 ? 0 : 1;

  const opened = new Map<SystemName, readonly System[]>();
  const failures = await forEach(starts, {
    concurrent: true,
    work: async (start) => {
      const systems = await start.start();
      opened.set(start.name, systems);
      return systems.map(({ name }) => name).join(', ');
    },
  });
  for (const failure of failures) say(failure);
  const running = await runningSystems(
    dir,
    SYSTEM_NAMES.flatMap((name) => opened.get(name) ?? []),
  );
  const stopped = endOfUse();
  const file = await writeEnvironment(dir, running.settings);
  for (const system of running.systems)
    say(`${system.name.padEnd(18)} ${system.version.padEnd(40)} ${whereabouts(system)}`);
  say(`
The settings are in ${file}. BudApp with them, in another terminal:
  (set -a; . ${file}; npm start)
  (set -a; . ${file}; npm run demo -- --url http://127.0.0.1:$PORT)
Their output is in ${dir}/*.log. Ctrl-C stops them all.`);
  await stopped;
  // Whoever does not want to wait: the guards of the systems end them.
  process.once('SIGINT', () => process.exit(130));
  say('stopping');
  await running.close();
  return failures.length === 0 ? 0 : 1;
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  },
);
