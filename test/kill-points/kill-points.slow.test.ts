import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../src/config/config.ts';
import { KILL_POINTS, type KillPoint } from '../../src/resilience/kill-point.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from '../e2e/budapp.ts';
import { aCluster } from '../e2e/deployment.ts';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { eventually } from '../eventually.ts';
import { doJob } from './job.ts';

const SRC = new URL('../../src/', import.meta.url).pathname;

const namesInCode = (): string[] =>
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(SRC, file), 'utf8').matchAll(/\bkillPoint\('([^']+)'\)/g)])
    .map(([, name]) => name ?? '');

/** Those of `budapp log heal` are tried in test/wiring/log-heal. */
const OF_SERVER: readonly KillPoint[] = KILL_POINTS.filter((point) => !point.startsWith('log heal: '));

/** How often a point is passed before, so that the job is under way: the others are passed only by the job itself. */
const PASSES: Partial<Record<KillPoint, number>> = {
  'command: facts appended': 7,
  'reader: batch taken, not committed': 4,
  'reader: batch committed': 6,
  'dispatcher: intents claimed': 3,
  'dispatcher: attempt made, not stored': 5,
  'dispatcher: attempt stored': 8,
  'projector: batch written, not committed': 5,
  'projector: batch committed': 7,
};

/** The files of the object storage. */
const objectsIn = async (dataDir: string): Promise<string[]> => {
  const files = await readdir(join(dataDir, 'objects'), { recursive: true, withFileTypes: true }).catch(() => []);
  return files.filter((entry) => entry.isFile()).map(({ name }) => name);
};

/** The points around what the log takes; of the others it knows nothing. */
const OVER_EVENTSTORE: readonly KillPoint[] = [
  'command: name reserved',
  'command: facts appended',
  'command: names released',
  'reader: batch committed',
  'dispatcher: attempt made, not stored',
  'projector: batch committed',
];

interface Place {
  env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** In the end the job has led to what it leads to without a kill. */
const changesNothing = (open: () => Promise<Place>, points: readonly KillPoint[]): void => {
  let dataDir = '';
  let budapp: BudApp;
  let place: Place;
  let undisturbed: unknown;
  const target = { url: () => budapp.url };
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    budapp = await startBudApp(dataDir, { ...place.env, ...env });
  };

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-kill-'));
    place = await open();
    await start();
    expect((await aCluster(await loggedIn(budapp))).status).to.equal('available');
    undisturbed = await doJob(target, 'undisturbed');
  });
  after(async () => {
    await budapp?.stop();
    await place?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  for (const [index, point] of points.entries()) {
    it(`changes nothing in the end: ${point}`, async () => {
      await budapp.stop();
      const before = await objectsIn(dataDir);
      await start({ KILL_POINT: `${point}@${PASSES[point] ?? 0}` });
      const killed = budapp.exited();
      const job = doJob(target, `killed-${index}`);
      const signal = await Promise.race([killed, job.then(() => 'the job was done without passing the point')]);
      expect(signal).to.equal('SIGKILL');
      await start();
      expect(await job).to.deep.equal(undisturbed);
      await eventually('no replica is left', async () =>
        (await inferenceProcesses(dataDir)).length === 0 ? true : null,
      );
      await eventually('no file is left', async () =>
        (await objectsIn(dataDir)).length <= before.length ? true : null,
      );
    });
  }
};

describe('a kill between two writes', function () {
  this.timeout(300_000);

  it('is tried at every point of the code, each of which is there once', () => {
    expect(namesInCode().toSorted()).to.deep.equal([...KILL_POINTS].toSorted());
  });

  it('is refused in production', () => {
    const settings = { NODE_ENV: 'production', KILL_POINT: KILL_POINTS[0] };
    expect(() => loadConfig(settings)).to.throw('KILL_POINT is for tests');
  });

  describe('with the log in Postgres', () => {
    changesNothing(async () => ({ env: {}, close: async () => {} }), OF_SERVER);
  });

  describe('with the log in EventStoreDB, here its test double', () => {
    const open = async () => {
      const double = await createEventStoreDouble();
      return { env: { EVENTSTORE_URL: double.url }, close: () => double.close() };
    };
    changesNothing(open, OVER_EVENTSTORE);
  });
});
