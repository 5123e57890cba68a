import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadLocalServiceConfig } from '../../../src/config/config.ts';
import { toRequest } from '../../../src/contracts/calls.ts';
import { findFreePort } from '../../../src/local/machine/free-port.ts';
import { failureOf } from '../../failure-of.ts';
import { MODEL } from '../../local/cluster/cluster-client.ts';
import { asynchronous, hasEnded, type Receiver, startReceiver } from '../../local/receiver.ts';

const CLI = new URL('../../../src/cli.ts', import.meta.url);

describe('a local service as a process of its own', () => {
  let dir: string;
  let receiver: Receiver;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'local-service-'));
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await receiver.close();
    await rm(dir, { recursive: true, force: true });
  });

  const settings = () => ({
    NOTIFICATIONS_URL: receiver.callback.url.replace('/notifications', ''),
    APP_API_TOKEN: receiver.callback.token,
    LOG_LEVEL: 'warn',
  });

  const start = (name: string, port: number, env: Record<string, string>) => {
    const args = ['local-service', name, '--port', String(port), '--data-dir', join(dir, name)];
    const child = fork(CLI, args, { env: { PATH: process.env.PATH ?? '', ...env }, cwd: dir, silent: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    return { child, exited: once(child, 'exit'), output: () => output };
  };

  it('listens where it is told, says what it is, sends its messages straight to BudApp, and ends in order', async () => {
    const port = await findFreePort();
    const { child, exited, output } = start('budmodel', port, settings());
    const [message] = await once(child, 'message');
    expect(message).to.deep.equal({ ready: { url: `http://127.0.0.1:${port}` } });
    const health = await fetch(`http://127.0.0.1:${port}/health`);
    expect(await health.json()).to.deep.equal({ status: 'ok' });
    const { path, body } = toRequest('model.scan', { model_path: MODEL, ...asynchronous('w') });
    await fetch(`http://127.0.0.1:${port}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await receiver.until(hasEnded('w'));
    expect(new Set(receiver.tokens)).to.deep.equal(new Set([receiver.callback.token]));
    child.kill('SIGTERM');
    expect(await exited).to.deep.equal([0, null]);
    expect(output()).to.contain('stands in for budmodel');
  });

  it('does not start where the port is taken: who looks for it would not find it elsewhere', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    const { exited, output } = start('budmodel', port, settings());
    expect(await exited).to.deep.equal([1, null]);
    taken.close();
    expect(output()).to.contain(`127.0.0.1:${port}`);
  });

  it('does not start on the folder of one that runs', async () => {
    const first = start('budmodel', await findFreePort(), settings());
    await once(first.child, 'message');
    const second = start('budmodel', await findFreePort(), settings());
    expect(await second.exited).to.deep.equal([1, null]);
    first.child.kill('SIGTERM');
    await first.exited;
    expect(second.output()).to.contain('is in use');
  });

  it('says which settings and which services there are', async () => {
    const unset = start('budsim', 1, {});
    const unknown = start('budother', 1, settings());
    const [first, second] = await Promise.all([unset.exited, unknown.exited]);
    expect([first, second]).to.deep.equal([
      [1, null],
      [1, null],
    ]);
    expect(unset.output()).to.contain('DAPR_HTTP_PORT').and.to.contain('BUDCLUSTER_SERVICE_URL');
    expect(unknown.output()).to.contain('budcluster, budmodel, budsim, budmetrics');
  });
});

describe('settings of a local service', () => {
  const needs = { messages: true, cluster: true };

  it('come from its sidecar alone', () => {
    const env = { DAPR_HTTP_PORT: '3501', DAPR_API_TOKEN: 'token', APP_API_TOKEN: '' };
    expect(loadLocalServiceConfig(needs, env)).to.deep.include({
      sidecar: { http_port: 3501, api_token: 'token', pubsub_name: 'pubsub-redis' },
      cluster: {
        url: 'http://127.0.0.1:3501/v1.0/invoke/budcluster/method',
        headers: { 'dapr-api-token': 'token' },
      },
    });
  });

  it('need no more than the service does', () => {
    expect(loadLocalServiceConfig({ messages: false, cluster: false }, {}).sidecar).to.equal(null);
  });

  it('are refused all at once', async () => {
    const error = await failureOf(
      Promise.resolve().then(() => loadLocalServiceConfig(needs, { DAPR_HTTP_PORT: 'x', NOTIFICATIONS_URL: 'y' })),
    );
    expect(error)
      .to.have.property('message')
      .that.matches(/DAPR_HTTP_PORT[\s\S]*NOTIFICATIONS_URL/);
  });
});
