import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { Client } from 'minio';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import { type BudApp, loggedIn, startBudApp } from '../e2e/budapp.ts';
import { aCluster, aModel, settledEndpoint } from '../e2e/deployment.ts';
import { type InstallationState, stateOf } from '../e2e/installation-state.ts';
import { failureOf } from '../failure-of.ts';
import { orSkip } from './harness/or-skip.ts';
import { runCommand } from './harness/run-command.ts';
import type { System } from './harness/system.ts';
import { startEventStoreDouble } from './servers/eventstore-double.ts';
import { startMinio } from './servers/minio.ts';
import { startPostgres } from './servers/postgres.ts';

type Settings = Readonly<Record<string, string>>;

/** What `mc mirror` does: every object of the bucket as a file, or every file as an object. */
const bucketOf = ({
  MINIO_ENDPOINT = '',
  MINIO_ACCESS_KEY = '',
  MINIO_SECRET_KEY = '',
  MINIO_BUCKET_NAME = '',
}: Settings) => {
  const { hostname: endPoint, port } = new URL(`http://${MINIO_ENDPOINT}`);
  const options = {
    endPoint,
    port: Number(port),
    useSSL: false,
    accessKey: MINIO_ACCESS_KEY,
    secretKey: MINIO_SECRET_KEY,
  };
  const client = new Client(options);
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of client.listObjectsV2(MINIO_BUCKET_NAME, '', true)) found.push(String(name));
    return found;
  };
  return {
    keys,
    async save(folder: string) {
      for (const key of await keys()) {
        const { metaData } = await client.statObject(MINIO_BUCKET_NAME, key);
        expect(metaData, 'what is kept beside an object has to be kept by a backup, too').to.be.an('object');
        const file = join(folder, key);
        await mkdir(dirname(file), { recursive: true });
        await pipeline(await client.getObject(MINIO_BUCKET_NAME, key), createWriteStream(file));
      }
    },
    async load(folder: string) {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      for (const entry of entries.filter((entry) => entry.isFile())) {
        const file = join(entry.parentPath, entry.name);
        await client.fPutObject(MINIO_BUCKET_NAME, relative(folder, file), file);
      }
    },
    async empty() {
      await client.removeObjects(MINIO_BUCKET_NAME, await keys());
    },
  };
};

/** The commands of docs/operations.md, "Backup" and "Restore", for the real systems. */
describe('backup and restore of Postgres, EventStoreDB and MinIO', function () {
  this.timeout(240_000);
  let root = '';
  const opened: System[] = [];
  let systems: Awaited<ReturnType<typeof openSystems>>;
  let budapp: BudApp | null = null;
  let model: ModelView;
  let backedUp: InstallationState;
  let underWay: { body: EndpointView; position: string | null };

  const openSystems = async () => {
    const dir = join(root, 'systems');
    await mkdir(dir, { recursive: true });
    const open = async <T extends System>(starting: Promise<T>): Promise<T> => {
      const system = await starting;
      opened.push(system);
      return system;
    };
    const postgres = await open(startPostgres({ dir }));
    const eventstore = await open(startEventStoreDouble({ dir }));
    const minio = await open(startMinio({ dir }));
    await minio.makeBucket();
    const settings: Settings = {
      ...postgres.settings,
      ...eventstore.settings,
      ...minio.settings,
      MASTER_KEY: randomBytes(32).toString('base64'),
    };
    return { dir, postgres, eventstore, settings, bucket: bucketOf(settings) };
  };

  const postgresTool = (program: string, ...args: string[]) => {
    const { POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD } = systems.settings;
    const env = { PGHOST: POSTGRES_HOST, PGPORT: POSTGRES_PORT, PGUSER: POSTGRES_USER, PGPASSWORD: POSTGRES_PASSWORD };
    return runCommand(join(systems.postgres.programs, program), args, { env: env as Settings });
  };
  const journal = () => join(systems.dir, 'eventstore-double');
  const start = async () => {
    budapp = await startBudApp(join(root, 'data'), systems.settings);
    return loggedIn(budapp);
  };
  const stop = async () => {
    await budapp?.stop();
    budapp = null;
  };

  before(async function () {
    root = await mkdtemp(join(tmpdir(), 'budapp-restore-'));
    await runCommand('chmod', ['755', root]);
    systems = await orSkip(this, openSystems());
    const { bucket, eventstore, postgres } = systems;
    const client = await start();
    model = await aModel(client, 'kept');
    expect(model.status, JSON.stringify(model)).to.equal('active');
    expect((await aCluster(client)).status).to.equal('available');
    const deployed = await client.post<EndpointView>('/endpoints', { name: 'kept', model_id: model.id, replicas: 1 });
    expect((await settledEndpoint(client, deployed)).status).to.equal('running');
    backedUp = await stateOf(client);
    underWay = await client.post<EndpointView>('/endpoints', { name: 'under-way', model_id: model.id, replicas: 1 });
    await stop();

    await postgresTool('pg_dump', '--format=custom', `--file=${join(root, 'budapp.dump')}`, 'budapp');
    await eventstore.stop();
    await cp(journal(), join(root, 'log'), { recursive: true });
    await bucket.save(join(root, 'objects'));

    await rm(journal(), { recursive: true });
    await mkdir(journal());
    await bucket.empty();
    expect(await bucket.keys()).to.deep.equal([]);
    const admin = postgres.admin_connection_string;
    await runCommand(join(postgres.programs, 'psql'), [admin, '-c', 'drop database budapp with (force)']);
    await runCommand(join(postgres.programs, 'psql'), [admin, '-c', 'create database budapp owner budapp']);

    await postgresTool('pg_restore', '--no-owner', '--exit-on-error', '--dbname=budapp', join(root, 'budapp.dump'));
    await cp(join(root, 'log'), journal(), { recursive: true });
    await eventstore.start();
    await bucket.load(join(root, 'objects'));
  });
  after(async () => {
    await stop();
    for (const system of opened) await system.close();
    await rm(root, { recursive: true, force: true });
  });

  it('gives back the same history and the same resources, personal data readable', async () => {
    const client = await start();
    const restored = await stateOf(client);
    expect(restored.history.slice(0, backedUp.history.length)).to.deep.equal(backedUp.history);
    expect(restored.resources).to.deep.equal(backedUp.resources);
    expect(restored.resources.users?.[0]?.email).to.equal('admin@example.test');
  });

  it('goes on with the deployment that was under way, and deploys the restored artefact', async () => {
    const client = await loggedIn(budapp!);
    const endpoint = await settledEndpoint(client, underWay);
    expect(endpoint.status).to.equal('running', endpoint.reason?.message);
    const answer = await client.post<EndpointView>('/endpoints', { name: 'anew', model_id: model.id, replicas: 1 });
    const anew = await settledEndpoint(client, answer);
    expect(anew.status).to.equal('running', anew.reason?.message);
  });

  it('accepts nothing where the log is from an older backup than the database, and says what to do', async () => {
    await stop();
    await systems.eventstore.stop();
    await rm(journal(), { recursive: true });
    await cp(join(root, 'log'), journal(), { recursive: true });
    await systems.eventstore.start();
    const client = await start();
    const ready = await fetch(`${budapp?.url}/health/ready`);
    expect(ready.status).to.equal(503);
    expect(await ready.text()).to.include('budapp log heal');
    expect(String(await failureOf(client.post('/projects', { name: 'too late' })))).to.include('log-behind');
  });
});
