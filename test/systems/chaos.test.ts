import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createClient } from '../../src/demo/client.ts';
import { parseStream } from '../../src/events/catalog.ts';
import { checkedFetch } from '../api/checked-fetch.ts';
import { ADMIN, inferenceProcesses } from '../e2e/budapp.ts';
import { type AuditedEvent, aCluster, aModel, wholeHistory } from '../e2e/deployment.ts';
import { eventually } from '../eventually.ts';
import { watchHealth } from './clients/health-watch.ts';
import { createPatientClient, type PatientClient, type Seen } from './clients/patient-client.ts';
import { followStream } from './clients/stream-follower.ts';
import { type Deployment, startTraffic } from './clients/traffic.ts';
import { orSkip } from './harness/or-skip.ts';
import { type Installation, startInstallation } from './servers/installation.ts';
import { createKeycloakAdmin } from './servers/keycloak-admin.ts';
import { ensureAdmin } from './servers/keycloak-first-admin.ts';

const OUTAGE_MS = 10_000;
/** How long after a system has gone `/health/ready` may still say that it is there. */
const NOTICE_MS = 4_000;
const PATIENCE = { timeoutMs: 60_000 };
const LANES = 3;
const DEADLINES = {
  DEPLOYMENT_DEADLINE_SECONDS: '90',
  PLACEMENT_DEADLINE_SECONDS: '60',
  DELETION_DEADLINE_SECONDS: '60',
};

/** `npm run demo`, against a BudApp that runs where there is an address; answers what it printed. */
const runDemo = async (url?: string): Promise<{ code: number | null; output: string }> => {
  const where = url === undefined ? [] : ['--url', url, '--email', ADMIN.email, '--password', ADMIN.password];
  const args = ['src/cli.ts', 'demo', ...where];
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, args, { env: { PATH, HOME, CI: 'true' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  const [code] = await once(child, 'close');
  return { code, output };
};

/** What it did, and the endpoint's history, without what differs between any two runs: times, ids, names of people. */
const toldBy = (output: string): { steps: string[]; history: string[] } => ({
  steps: [...output.matchAll(/✔ (?!Start|Log in)(.+?)(?: \[.*\])?$/gm)].map(([, title = '']) => title),
  history: [...output.matchAll(/(\w+ <- \w+ by .*?, caused by (?:event|a request))/g)].map(([, line = '']) =>
    line.replace(/by user .*?,/, 'by the user,'),
  ),
});

interface Readiness {
  status: string;
  dependencies: { name: string; ok: boolean; stand_in: boolean }[];
  head: string;
}

const readinessOf = async (url: string): Promise<Readiness> =>
  (await (await fetch(`${url}/health/ready`)).json()) as Readiness;

const untilReady = async ({ urls }: Installation): Promise<void> => {
  for (const url of urls) {
    const look = async () => {
      const { status } = await readinessOf(url).catch(() => ({ status: 'mute' }));
      return status === 'ready' ? true : null;
    };
    await eventually(`${url} is ready again`, look, PATIENCE);
  }
};

interface Outage {
  from: number;
  to: number;
}

/** Whoever cannot be served is told so, and when to come again; only a process that was killed says nothing. */
const expectOnlyHonestAnswers = (seen: readonly Seen[], kills: readonly Outage[]): void => {
  const failures = seen.filter(({ status }) => status !== null && status >= 500);
  expect(failures.filter(({ status, retry_after }) => status !== 503 || retry_after === null)).to.deep.equal([]);
  const silences = seen.filter(({ status }) => status === null);
  const unexplained = silences.filter(({ at }) => !kills.some(({ from, to }) => at >= from && at <= to));
  expect(unexplained, 'requests without an answer, though no process was killed').to.deep.equal([]);
};

const typesOf = (events: readonly AuditedEvent[], id: string): string[] =>
  events.filter(({ stream }) => stream === `endpoint-${id}`).map(({ event_type }) => event_type);

/** All that was accepted is there, once, and came to an end; and nothing is there that nobody was told of. */
const expectEachDeploymentOnce = (deployments: readonly Deployment[], history: readonly AuditedEvent[]): void => {
  expect(deployments.length).to.be.greaterThan(LANES);
  for (const { id, name, outcome, reason, deleted } of deployments) {
    expect(['running', 'degraded', 'failed'], `${name} ended as ${outcome}`).to.include(outcome);
    if (outcome === 'failed') expect(reason, `${name} failed without a reason`).to.be.a('string');
    expect(deleted, `${name} is deleted`).to.equal(true);
    const types = typesOf(history, id);
    for (const once of ['EndpointRequested', 'EndpointDeleted']) {
      expect(
        types.filter((type) => type === once),
        `${name}: ${types.join(', ')}`,
      ).to.have.length(1);
    }
    expect(types.filter((type) => type === 'EndpointDeployed').length).to.be.lessThan(2);
  }
};

const countBy = (names: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
};

const summaryOf = (deployments: readonly Deployment[], seen: readonly Seen[], messages: number): string =>
  `deployments: ${countBy(deployments.map(({ outcome, reason }) => [outcome, reason].filter(Boolean).join(' ')))}; ` +
  `answers: ${countBy(seen.map(({ status }) => String(status ?? 'none')))}; messages of the stream: ${messages}`;

/** The stream tells of resources; a name that is taken or released is none. */
const toldOnTheStream = (history: readonly AuditedEvent[]): AuditedEvent[] =>
  history.filter(({ stream }) => parseStream(stream) !== null);

/** Every message of every resource since `from`, in the order of the log, none missing and none twice. */
const expectWholeStream = (positions: readonly string[], history: readonly AuditedEvent[], from: string): void => {
  const all = toldOnTheStream(history).filter(({ position }) => position > from);
  expect(positions).to.deep.equal(all.map(({ position }) => position));
};

describe('BudApp in two processes a role, on all the real systems at once', function () {
  this.timeout(600_000);
  let dir: string;
  let installation: Installation;

  before(async function () {
    dir = await mkdtemp(join(tmpdir(), 'budapp-chaos-'));
    installation = await orSkip(this, startInstallation(dir, { ...DEADLINES, LOG_LEVEL: 'info' }));
    const { keycloak } = installation;
    await ensureAdmin(keycloak, ADMIN);
    // Longer than all of it takes on a slow machine: what is away at the moment must not be what a token is got with.
    const realm = createKeycloakAdmin(keycloak, keycloak.settings.KEYCLOAK_REALM ?? '');
    await realm.changeRealm({ accessTokenLifespan: 3600 });
  });
  after(async () => {
    await installation?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const apiUrl = (): string => installation.urls[0] ?? '';

  const loggedIn = async () => {
    const client = createClient(apiUrl(), checkedFetch);
    await client.login(ADMIN.email, ADMIN.password);
    return client;
  };

  it('stands in for nothing and says what serves it', async () => {
    for (const { url } of installation.roles) {
      const readiness = await readinessOf(url);
      expect(readiness.status, JSON.stringify(readiness)).to.equal('ready');
      expect(readiness.dependencies.filter(({ stand_in }) => stand_in)).to.deep.equal([]);
    }
  });

  it('does the main job with the output and the history that the embedded default has', async () => {
    const [here, embedded] = [await runDemo(apiUrl()), await runDemo()];
    expect(here.code, here.output).to.equal(0);
    expect(embedded.code, embedded.output).to.equal(0);
    expect(toldBy(here.output).history).to.have.length.greaterThan(5);
    expect(toldBy(here.output)).to.deep.equal(toldBy(embedded.output));
  });

  it('loses nothing and does nothing twice while each system in turn is unavailable and each process is killed', async () => {
    const client = createPatientClient({ urls: installation.urls });
    await client.login(ADMIN);
    const { model_id, project_id, from } = await prepare(client);
    const follower = followStream(installation.urls, { token: () => client.token, from });
    const health = watchHealth(installation.urls);
    const traffic = startTraffic(client, { project_id, model_id, lanes: LANES });
    const kills: Outage[] = [];

    for (const [name, system] of Object.entries(installation.systems)) {
      await system.stop();
      const gone = Date.now() + NOTICE_MS;
      await sleep(OUTAGE_MS);
      const noticed = async () => (health.saidOf(name, gone, Date.now()).missing > 0 ? true : null);
      await eventually(`a process tells that ${name} is away`, noticed, PATIENCE);
      const { there } = health.saidOf(name, gone, Date.now());
      expect(there, `processes that told that ${name} is there while it was away`).to.equal(0);
      await system.start();
      await untilReady(installation);
    }
    for (const role of installation.roles) {
      const from = Date.now();
      await role.stop('kill');
      await role.start();
      kills.push({ from, to: Date.now() });
    }
    await traffic.stop();
    const history = await wholeHistory(await loggedIn());
    const last = toldOnTheStream(history).at(-1)?.position ?? '';
    const arrived = async () => (follower.reached(last) ? true : null);
    await eventually(`the stream has come to ${last}, and not only to ${follower.positions.at(-1)}`, arrived, PATIENCE);
    await follower.stop();
    await health.stop();

    process.stdout.write(`      ${summaryOf(traffic.deployments, client.seen, follower.positions.length)}\n`);
    expectOnlyHonestAnswers(client.seen, kills);
    expectEachDeploymentOnce(traffic.deployments, history);
    expect(await inferenceProcesses(dir), 'inference servers that nobody needs any more').to.deep.equal([]);
    expect(follower.resets).to.deep.equal([]);
    expectWholeStream(follower.positions, history, from);
  });

  const prepare = async (client: PatientClient) => {
    const plain = await loggedIn();
    const model = await aModel(plain, 'chaos');
    const clusters = await plain.get<{ items: unknown[] }>('/clusters?status=available');
    if (clusters.body.items.length === 0) await aCluster(plain);
    const { body } = await client.request('GET', '/auth/me');
    const { head } = await readinessOf(apiUrl());
    return { model_id: model.id, project_id: body.default_project_id as string, from: head };
  };
});
