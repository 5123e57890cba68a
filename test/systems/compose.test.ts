import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { loadConfig, loadLocalServiceConfig, SETTINGS } from '../../src/config/config.ts';
import { createComposeReader, readComposeFile, type Service, variablesOf } from './containers/compose.ts';
import { orSkip } from './harness/or-skip.ts';
import { runCommand } from './harness/run-command.ts';
import { needTool } from './install/tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const INIT = 'deploy/compose/init.sh';
const STAND_INS = ['budcluster', 'budmodel', 'budsim', 'budmetrics'];
/** Which write to their own files at the first start; the compose file says why. */
const WRITABLE = ['eventstore', 'keycloak'];

/** A copy of what `init.sh` works on, so that it does not touch the `.env` of whoever runs the tests. */
const copyInit = async (dir: string): Promise<string> => {
  await mkdir(join(dir, 'deploy/compose'), { recursive: true });
  await cp(join(ROOT, INIT), join(dir, INIT));
  return join(dir, INIT);
};

const readEnv = async (dir: string): Promise<Record<string, string>> => {
  const lines = (await readFile(join(dir, '.env'), 'utf8')).split('\n').filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
};

const flag = ({ command }: Service, name: string): string | undefined => {
  const at = command?.indexOf(name) ?? -1;
  return at < 0 ? undefined : command?.[at + 1];
};
const isPod = (name: string): boolean => name.endsWith('-pod');
const isSidecar = (name: string): boolean => name.endsWith('-dapr');
const isJob = ({ restart }: Service): boolean => restart?.startsWith('on-failure') ?? false;

describe('docker-compose.yml', function () {
  this.timeout(300_000);
  let dir: string;
  let reader: Awaited<ReturnType<typeof createComposeReader>>;
  let secrets: Record<string, string>;
  let services: Readonly<Record<string, Service>>;
  let volumes: readonly string[];
  const all = () => Object.entries(services);
  const service = (name: string): Service => {
    const found = services[name];
    if (found === undefined) throw new Error(`there is no service ${name}`);
    return found;
  };
  /** In the network of one pod. */
  const neighbours = (pod: string) => all().filter(([, { network_mode }]) => network_mode === `service:${pod}`);

  before(async function () {
    dir = await mkdtemp(join(tmpdir(), 'budapp-compose-'));
    reader = await orSkip(this, createComposeReader(dir));
    await runCommand('/bin/sh', [await copyInit(dir)]);
    secrets = await readEnv(dir);
    const stack = await reader.readWith(secrets);
    services = stack.services;
    volumes = Object.keys(stack.volumes);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('says what to do where the secrets are not there', async () => {
    const said = await reader.readBare().then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    expect(said).to.include(`is missing a value: run ${INIT}`);
  });

  it('gets every secret that it needs from the script, and no other', async () => {
    expect(variablesOf(await readComposeFile())).to.have.members(Object.keys(secrets));
  });

  it('keeps the secrets that are there when the script is run again', async () => {
    const other = await mkdtemp(join(tmpdir(), 'budapp-compose-init-'));
    try {
      const script = await copyInit(other);
      await writeFile(join(other, '.env'), 'PORT=9090\nSTACK_REDIS_PASSWORD=mine');
      await runCommand('/bin/sh', [script]);
      const first = await readEnv(other);
      expect(first).to.include({ PORT: '9090', STACK_REDIS_PASSWORD: 'mine' });
      await runCommand('/bin/sh', [script]);
      expect(await readEnv(other)).to.deep.equal(first);
      expect((await stat(join(other, '.env'))).mode & 0o777).to.equal(0o600);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('gives no name to a secret that `npm start` would take for a setting', () => {
    for (const name of Object.keys(secrets)) expect(SETTINGS).not.to.include(name);
  });

  it('gives BudApp settings that it takes as they are, in each role, and no others', () => {
    for (const name of ['migrate', 'api', 'projector', 'processes']) {
      const { environment } = service(name);
      expect(() => loadConfig(environment), name).not.to.throw();
      expect(SETTINGS, name).to.include.members(Object.keys(environment));
      expect(loadConfig(environment).stand_ins, name).to.deep.equal([]);
      if (name !== 'migrate') expect(environment.ROLES).to.equal(name);
    }
  });

  it('gives the stand-ins of services settings that they take', () => {
    for (const name of STAND_INS) {
      const { environment, command } = service(name);
      expect(() => loadLocalServiceConfig({ messages: true, cluster: true }, environment), name).not.to.throw();
      expect(command?.slice(0, 3)).to.deep.equal(['src/cli.ts', 'local-service', name]);
    }
  });

  it('mounts what is there, scripts so that they can be run', async () => {
    for (const [name, { volumes: mounts }] of all()) {
      for (const { type, source, read_only } of mounts) {
        if (type === 'volume') expect(volumes, name).to.include(source);
        else {
          expect(read_only, `${name}: ${source}`).to.equal(true);
          await access(join(ROOT, source), source.endsWith('.sh') ? constants.X_OK : constants.R_OK);
        }
      }
    }
  });

  it('watches the health of all that stays, sidecars through whom they stand beside', () => {
    for (const [name, each] of all()) {
      if (isPod(name) || isJob(each)) continue;
      if (!isSidecar(name)) expect(each, name).to.have.property('healthcheck');
      else {
        const [, watcher] =
          neighbours(each.network_mode?.replace('service:', '') ?? '').find(([other]) => other !== name) ?? [];
        expect(watcher?.healthcheck?.test.join(' '), name).to.match(/:3500\/v1\.0\/healthz|\/health\/ready/);
      }
    }
  });

  it('starts each container when what it waits for can come true', () => {
    for (const [name, { depends_on }] of all()) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const where = `${name} waits for ${needed}`;
        // Whoever shares a network waits for its pod, and no longer than until it runs.
        if (condition === 'service_started') expect(needed, where).to.satisfy(isPod);
        else if (condition === 'service_healthy') expect(service(needed), where).to.have.property('healthcheck');
        else expect([condition, isJob(service(needed))], where).to.deep.equal(['service_completed_successfully', true]);
      }
    }
    for (const role of ['api', 'projector', 'processes'])
      expect(service(role).depends_on).to.include.keys('migrate', 'minio-init', 'keycloak-init', 'eventstore', 'nats');
  });

  it('listens on this machine only, each port once', () => {
    const published = all().flatMap(([, { ports }]) => ports);
    for (const { host_ip } of published) expect(host_ip).to.equal('127.0.0.1');
    const numbers = published.map((port) => port.published);
    expect(new Set(numbers).size).to.equal(numbers.length);
    expect(numbers).to.have.members(['8080', '9081', '9082']);
  });

  it('gives every container the least rights', () => {
    for (const [name, each] of all()) {
      expect(each.cap_drop, name).to.deep.equal(['ALL']);
      expect(each.security_opt, name).to.deep.equal(['no-new-privileges:true']);
      expect(each.read_only, name).to.equal(!WRITABLE.includes(name));
      expect(each, name).not.to.have.property('privileged');
    }
  });

  it('pins every image to one version', () => {
    for (const [name, { image }] of all()) expect(image, name).to.match(/:[\w.-]*\d[\w.-]*$/);
  });

  it('puts a sidecar with the right app id and port beside each service', () => {
    for (const name of STAND_INS) {
      const [app, sidecar] = [service(name), service(`${name}-dapr`)];
      expect([app.network_mode, sidecar.network_mode]).to.deep.equal([`service:${name}-pod`, `service:${name}-pod`]);
      expect([flag(sidecar, '--app-id'), flag(sidecar, '--app-port')]).to.deep.equal([name, flag(app, '--port')]);
      expect(app.environment.DAPR_API_TOKEN).to.equal(sidecar.environment.DAPR_API_TOKEN);
    }
    expect([flag(service('api-dapr'), '--app-id'), flag(service('api-dapr'), '--app-port')]).to.deep.equal([
      'budapp',
      '9081',
    ]);
    // Messages must not reach a process that does not take them.
    expect(flag(service('processes-dapr'), '--app-port')).to.equal(undefined);
    expect(flag(service('processes-dapr'), '--app-id')).not.to.equal('budapp');
  });

  it('starts sidecars with a command line that daprd takes', async function () {
    const { program, version } = await orSkip(this, needTool('daprd'));
    const [, installed] = /(\d+\.\d+)\./.exec(version) ?? [];
    for (const [name, { command, image }] of all().filter(([name]) => isSidecar(name))) {
      const [, ...flags] = command ?? [];
      expect(await runCommand(program, [...flags, '--version']), name).to.match(/^\d/);
      expect(image, name).to.include(`:${installed}.`);
    }
  });

  it('shows each system the secret that it was given', () => {
    const { environment } = service('api');
    expect(service('minio-init').environment.SECRET_KEY).to.equal(environment.MINIO_SECRET_KEY);
    expect(service('minio-init').environment.BUCKET).to.equal(environment.MINIO_BUCKET_NAME);
    expect(service('postgres').environment.BUDAPP_PASSWORD).to.equal(environment.POSTGRES_PASSWORD);
    expect(service('keycloak').environment.KEYCLOAK_CLIENT_SECRET).to.equal(environment.KEYCLOAK_CLIENT_SECRET);
    expect(service('keycloak').environment.KC_DB_PASSWORD).to.equal(service('postgres').environment.KEYCLOAK_PASSWORD);
    expect(service('keycloak').environment.KC_HOSTNAME).to.equal(environment.KEYCLOAK_PUBLIC_URL);
    expect(environment.NATS_URL).to.include(`:${service('nats').environment.NATS_PASSWORD}@`);
    expect(service('api-dapr').environment).to.include({
      REDIS_PASSWORD: service('redis').environment.REDISCLI_AUTH ?? '',
      APP_API_TOKEN: environment.APP_API_TOKEN ?? '',
      DAPR_API_TOKEN: environment.DAPR_API_TOKEN ?? '',
    });
  });
});
