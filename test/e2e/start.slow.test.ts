import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ADMIN, type BudApp, loggedIn, startBudApp, startUnprepared } from './budapp.ts';

const failureOf = async (start: Promise<BudApp>): Promise<string> => {
  const budapp = await start.catch((error: Error) => error);
  if (budapp instanceof Error) return budapp.message;
  await budapp.stop();
  throw new Error('it started');
};

describe('starting and stopping', function () {
  this.timeout(300_000);
  let dataDir = '';

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-start-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('prints the URL, the admin with a generated password once, the data folder and the stand-ins', async () => {
    const first = await startUnprepared(dataDir, { ADMIN_PASSWORD: '' });
    expect(first.output()).to.include(first.url).and.include(ADMIN.email).and.include(dataDir);
    expect(first.output()).to.match(/password:? +\S{12,}/i);
    expect(first.output()).to.match(/stand-in/i);
    expect(await first.stop()).to.equal(0);

    const second = await startUnprepared(dataDir, { ADMIN_PASSWORD: '' });
    expect(second.output()).not.to.match(/password:? +\S{12,}/i);
    await second.stop();
    expect(second.output(), 'an orderly end is nothing to look at').not.to.include('lost a database connection');
  });

  it('ends in order at a signal that comes while it is still starting', async () => {
    const child = fork(new URL('../../src/main.ts', import.meta.url), {
      env: { ...process.env, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      execArgv: [],
    });
    // The first line of the log comes from the middle of the start: the schema is being made.
    await once(child.stdout ?? child, 'data');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).to.equal(0);

    const next = await startBudApp(dataDir);
    expect(await next.stop()).to.equal(0);
  });

  it('ends in order when the process that forked it is gone', async () => {
    const child = fork(new URL('../../src/main.ts', import.meta.url), {
      env: { ...process.env, PORT: '0', DATA_DIR: dataDir },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    await once(child, 'message');
    child.disconnect();
    const [code] = await once(child, 'exit');
    expect(code).to.equal(0);
  });

  it('ends at once at a signal that comes while it waits for a system', async () => {
    const nobody = {
      POSTGRES_HOST: '127.0.0.1',
      POSTGRES_PORT: '1',
      MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    };
    const child = fork(new URL('../../src/main.ts', import.meta.url), {
      env: { ...process.env, PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'info', ...nobody },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    });
    const [line] = await once(child.stdout ?? child, 'data');
    expect(String(line)).to.contain('waiting: Postgres').and.contain('POSTGRES_HOST');
    let complaint = '';
    child.stderr?.on('data', (chunk) => {
      complaint += String(chunk);
    });
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect([code, complaint]).to.deep.equal([0, '']);
  });

  it('keeps the data over a restart', async () => {
    const first = await startBudApp(dataDir);
    const created = await (await loggedIn(first)).post<{ id: string }>('/projects', { name: 'kept' });
    await first.stop();

    const second = await startBudApp(dataDir);
    // The first may have ended before its read models had it.
    const client = await loggedIn(second);
    const { body } = await client.getAt<{ name: string }>(`/projects/${created.body.id}`, created.position);
    expect(body.name).to.equal('kept');
    await second.stop();
  });

  it('says what to do about a port that is in use', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => blocker.once('listening', done));
    const address = blocker.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const message = await failureOf(startBudApp(dataDir, { PORT: String(port) }));
    blocker.close();
    expect(message).to.include('code 1').and.include(`${port}`).and.include('PORT');
  });

  it('refuses a data folder that another BudApp uses', async () => {
    const first = await startBudApp(dataDir);
    const message = await failureOf(startBudApp(dataDir));
    expect(message).to.include('code 1').and.include('DATA_DIR');
    await first.stop();
  });

  it('lists every wrong setting at once', async () => {
    const message = await failureOf(startBudApp(dataDir, { PORT: 'abc', MAX_UPLOAD_SIZE: 'much' }));
    expect(message).to.include('PORT').and.include('MAX_UPLOAD_SIZE');
  });

  it('refuses stand-ins in production', async () => {
    const message = await failureOf(startBudApp(dataDir, { NODE_ENV: 'production' }));
    expect(message).to.include('ALLOW_STAND_INS');
  });
});
