import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../src/config/config.ts';
import { KILL_POINTS, type KillPoint } from '../../src/resilience/kill-point.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from '../e2e/budapp.ts';
import { aCluster } from '../e2e/deployment.ts';
import { eventually } from '../eventually.ts';
import { doJob } from './job.ts';

const SRC = new URL('../../src/', import.meta.url).pathname;

const namesInCode = (): string[] =>
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(join(SRC, file), 'utf8').matchAll(/\bkillPoint\('([^']+)'\)/g)])
    .map(([, name]) => name ?? '');

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

describe('a kill between two writes', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let undisturbed: unknown;
  const target = { url: () => budapp.url };

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-kill-'));
    budapp = await startBudApp(dataDir);
    expect((await aCluster(await loggedIn(budapp))).status).to.equal('available');
    undisturbed = await doJob(target, 'undisturbed');
  });
  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is tried at every point of the code, each of which is there once', () => {
    expect(namesInCode().toSorted()).to.deep.equal([...KILL_POINTS].toSorted());
  });

  it('is refused in production', () => {
    const settings = { NODE_ENV: 'production', KILL_POINT: KILL_POINTS[0] };
    expect(() => loadConfig(settings)).to.throw('KILL_POINT is for tests');
  });

  for (const [index, point] of KILL_POINTS.entries()) {
    it(`changes nothing in the end: ${point}`, async () => {
      await budapp.stop();
      const before = await objectsIn(dataDir);
      budapp = await startBudApp(dataDir, { KILL_POINT: `${point}@${PASSES[point] ?? 0}` });
      const killed = budapp.exited();
      const job = doJob(target, `killed-${index}`);
      const signal = await Promise.race([killed, job.then(() => 'the job was done without passing the point')]);
      expect(signal).to.equal('SIGKILL');
      budapp = await startBudApp(dataDir);
      expect(await job).to.deep.equal(undisturbed);
      await eventually('no replica is left', async () =>
        (await inferenceProcesses(dataDir)).length === 0 ? true : null,
      );
      await eventually('no file is left', async () =>
        (await objectsIn(dataDir)).length <= before.length ? true : null,
      );
    });
  }
});
