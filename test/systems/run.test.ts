import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { orSkip } from './harness/or-skip.ts';
import { needTool } from './install/tools.ts';
import { askRedis } from './servers/redis-command.ts';
import { startAll } from './servers/start-all.ts';

const RUN = fileURLToPath(new URL('run.ts', import.meta.url));

describe('npm run systems', function () {
  this.timeout(120_000);
  let dir: string;
  const children: ChildProcess[] = [];

  before(async function () {
    await orSkip(this, needTool('redis-server'));
    dir = join(await mkdtemp(join(tmpdir(), 'budapp-run-')), 'systems');
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  after(() => rm(join(dir, '..'), { recursive: true, force: true }));

  const run = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [RUN, '--dir', dir, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const ended = once(child, 'close').then(([code]) => ({ code, output }));
    const started = async (): Promise<NodeJS.Dict<string>> => {
      while (!output.includes('Ctrl-C')) {
        const outcome = await Promise.race([ended, once(child.stdout, 'data')]);
        if ('code' in outcome) throw new Error(`it ended:\n${outcome.output}`);
      }
      return parseEnv(await readFile(join(dir, 'env'), 'utf8'));
    };
    return { child, ended, started };
  };
  const redisOf = (settings: NodeJS.Dict<string>) => ({
    port: Number(settings.REDIS_HOST?.split(':')[1]),
    password: settings.REDIS_PASSWORD ?? '',
  });
  const stop = async ({ child, ended }: ReturnType<typeof run>) => {
    child.kill('SIGINT');
    return ended;
  };

  it('runs what is named until Ctrl-C, and finds its data again the next time', async () => {
    const first = run('redis');
    const settings = await first.started();
    expect(Buffer.from(settings.MASTER_KEY ?? '', 'base64')).to.have.lengthOf(32);
    expect((await stat(join(dir, 'env'))).mode & 0o777).to.equal(0o600);
    await askRedis(redisOf(settings), ['set', 'left', 'there']);
    const { code, output } = await stop(first);
    expect(code, output).to.equal(0);
    expect(output).to.match(/redis-server \d+\.\d+\.\d+ +REDIS_HOST=127\.0\.0\.1:\d+/);
    expect(await failureOf(askRedis(redisOf(settings), ['ping']))).to.be.instanceOf(Error);

    const second = run('redis');
    expect(await second.started()).to.deep.equal(settings);
    expect(await askRedis(redisOf(settings), ['get', 'left'])).to.equal('there');
    await stop(second);
  });

  it('deletes the data of earlier runs with its option', async () => {
    const fresh = run('--fresh', 'redis');
    expect(await askRedis(redisOf(await fresh.started()), ['get', 'left'])).to.equal(null);
    await stop(fresh);
  });

  it('does not touch what another run is using', async () => {
    const first = run('redis');
    const settings = await first.started();
    const { code, output } = await run('--fresh', 'redis').ended;
    expect(code).to.equal(1);
    expect(output).to.include(`redis already runs from ${dir}, started by process ${first.child.pid}`);
    expect(await askRedis(redisOf(settings), ['ping'])).to.equal('PONG');
    await stop(first);
  });

  it('does not touch a folder that holds anything else', async () => {
    const other = join(dir, '..', 'other');
    await mkdir(other);
    await writeFile(join(other, 'precious'), '');
    const { code, output } = await run('--dir', other, '--fresh').ended;
    expect(code).to.equal(1);
    expect(output).to.include(`${other} holds something else; name another folder`);
    expect((await stat(join(other, 'precious'))).isFile()).to.equal(true);
  });

  it('only says what is installed where it is told to', async () => {
    const { code, output } = await run('--install', 'redis', 'eventstore-double').ended;
    expect(code).to.equal(0);
    expect(output).to.match(/redis: redis-server \d/);
    expect(output).to.include('eventstore-double: eventstore-double 0.0.0-budapp-test-double');
  });

  it('knows which systems there are', async () => {
    const { code, output } = await run('mongodb').ended;
    expect(code).to.equal(1);
    expect(output).to.equal(
      'there is no mongodb; there are postgres, eventstore-double, nats, minio, redis, keycloak, dapr\n',
    );
  });

  it('starts the same for a test, and stops all where one cannot be started', async () => {
    const running = await startAll({ dir, only: ['redis', 'eventstore-double'] });
    expect(running.systems.map(({ name }) => name)).to.deep.equal(['eventstore-double', 'redis']);
    expect(running.settings).to.include.keys('MASTER_KEY', 'EVENTSTORE_URL');
    const failure = await failureOf(startAll({ dir, only: ['redis'] }));
    expect(failure).to.have.property('message', `redis already runs from ${dir}, started by process ${process.pid}`);
    await running.close();
    expect(await failureOf(askRedis(redisOf(running.settings), ['ping']))).to.be.instanceOf(Error);
  });
});
