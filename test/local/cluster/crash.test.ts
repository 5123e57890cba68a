import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { clearOrphans } from '../../../src/local/machine/orphans.ts';
import { eventually } from '../../eventually.ts';
import type { Json } from '../json.ts';
import { createClient, deployRequest, type Inbox, isRunning, openInbox, request } from './cluster-client.ts';

const SERVICE = fileURLToPath(new URL('./service-process.ts', import.meta.url));

const gone = (pids: number[]): Promise<unknown> =>
  eventually('the processes have ended', () => expect(pids.filter(isRunning)).to.deep.equal([]));

describe('a local cluster that is killed', () => {
  let dir: string;
  let inbox: Inbox;
  let child: ChildProcess;
  let service: { url: string };

  const start = async () => {
    child = fork(SERVICE, [join(dir, 'cluster'), inbox.callback.url, inbox.callback.token]);
    service = (await once(child, 'message'))[0];
  };
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'crash-'));
    inbox = await openInbox();
    await start();
  });
  after(async () => {
    await kill();
    await inbox.close();
    await rm(dir, { recursive: true });
  });

  it('leaves no inference process behind, and brings its deployments back', async () => {
    const { register, deploy, workersOf, statusOf } = createClient(() => service, inbox);
    const cluster_id = (await register('register', 'kind: Config')).result.id;
    const { namespace, result } = await deploy('first', { cluster_id, replicas: 2 });
    const before = (await workersOf({ cluster_id, namespace })).map(({ pid }) => pid);
    expect(before.map(isRunning)).to.deep.equal([true, true]);
    await kill();
    await gone(before);

    const back = statusOf(namespace, ({ status }) => status === 'ready');
    await start();
    await back;
    expect((await fetch(`${result.deployment_url}/v2/health/ready`)).status).to.equal(200);
  });

  it('carries on a deployment in flight, and makes it only once', async () => {
    const { register, workersOf } = createClient(() => service, inbox);
    const cluster_id = (await register('register-again', 'kind: Again')).result.id;
    const started = inbox.next(({ workflow_id, event }) => workflow_id === 'flying' && event === 'deploy_to_engine');
    await request(service, 'POST', 'deployment', deployRequest('flying', { cluster_id, replicas: 2 }));
    await started;
    expect(inbox.events('flying').map(([event]) => event)).to.not.include('results');
    await kill();
    await start();
    const result: Json = (await inbox.ended('flying')).content.result;
    expect(result.deployment_status.replicas).to.include({ total: 2, available: 2 });
    expect(await workersOf({ cluster_id, namespace: result.namespace })).to.have.lengthOf(2);
  });
});

describe('clearing orphans', () => {
  const children: ChildProcess[] = [];
  const sleeper = async (parent: number, marker: string) => {
    const options = ['--parent', String(parent), '--marker', marker];
    const script = 'process.send("up"); setInterval(() => {}, 1000)';
    const child = spawn(process.execPath, ['-e', script, '--', ...options], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.push(child);
    await once(child, 'message');
    return child;
  };
  after(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  it('kills those whose parent is gone, and neither those of a living service nor of another', async () => {
    const orphan = await sleeper(2 ** 22 + 1, 'mine');
    const living = await sleeper(process.pid, 'mine');
    const foreign = await sleeper(2 ** 22 + 1, 'yours');
    const exited = once(orphan, 'exit');
    expect(await clearOrphans('mine')).to.deep.equal([orphan.pid]);
    await exited;
    expect([living, foreign].map(({ pid }) => isRunning(pid ?? 0))).to.deep.equal([true, true]);
  });
});
