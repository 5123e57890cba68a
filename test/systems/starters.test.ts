import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect } from 'chai';
import { Client } from 'minio';
import { connect } from 'nats';
import pg from 'pg';
import { eventually } from '../eventually.ts';
import { failureOf } from '../failure-of.ts';
import { orSkip } from './harness/or-skip.ts';
import { keptPort } from './harness/ports.ts';
import type { System } from './harness/system.ts';
import { startDaprd } from './servers/daprd.ts';
import { startEventStoreDouble } from './servers/eventstore-double.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { createKeycloakAdmin } from './servers/keycloak-admin.ts';
import { startMinio } from './servers/minio.ts';
import { startNats } from './servers/nats.ts';
import { startPostgres } from './servers/postgres.ts';
import { startRedis } from './servers/redis.ts';

const OWNER = new URL('servers/starter-owner-process.ts', import.meta.url);

/** A started system, something to leave in it, and how to find it again. */
interface Trial {
  system: System;
  leave(): Promise<unknown>;
  /** Rejects where it is lost, or nobody answers. */
  find(): Promise<unknown>;
}

const settingOf = (system: System, name: string): string => system.settings[name] ?? '';

const natsTrial = async (dir: string): Promise<Trial> => {
  const system = await startNats({ dir, auth: { user: 'budapp', password: 'secret' } });
  const url = new URL(settingOf(system, 'NATS_URL'));
  const login = { servers: url.host, user: url.username, pass: url.password, reconnect: false };
  // It keeps nothing, so to be let in is all there is to find.
  const find = async () => (await connect(login)).close();
  return { system, leave: find, find };
};

const minioTrial = async (dir: string): Promise<Trial> => {
  const system = await startMinio({ dir });
  const [endPoint = '', port] = settingOf(system, 'MINIO_ENDPOINT').split(':');
  const bucket = settingOf(system, 'MINIO_BUCKET_NAME');
  const client = new Client({
    endPoint,
    port: Number(port),
    useSSL: false,
    accessKey: settingOf(system, 'MINIO_ACCESS_KEY'),
    secretKey: settingOf(system, 'MINIO_SECRET_KEY'),
  });
  return {
    system,
    async leave() {
      await system.makeBucket();
      await client.putObject(bucket, 'left', 'there');
    },
    find: () => client.statObject(bucket, 'left'),
  };
};

const redisTrial = async (dir: string): Promise<Trial> => {
  const system = await startRedis({ dir, password: 'secret' });
  return {
    system,
    leave: () => system.command('set', 'left', 'there'),
    find: async () => expect(await system.command('get', 'left')).to.equal('there'),
  };
};

const postgresTrial = async (dir: string): Promise<Trial> => {
  const system = await startPostgres({ dir });
  const query = async (statement: string) => {
    const client = new pg.Client({
      host: settingOf(system, 'POSTGRES_HOST'),
      port: Number(settingOf(system, 'POSTGRES_PORT')),
      user: settingOf(system, 'POSTGRES_USER'),
      password: settingOf(system, 'POSTGRES_PASSWORD'),
      database: settingOf(system, 'POSTGRES_DB'),
    });
    await client.connect();
    try {
      return await client.query(statement);
    } finally {
      await client.end();
    }
  };
  return {
    system,
    leave: () => query('create table left_behind as select 1 as one'),
    find: () => query('select one from left_behind'),
  };
};

const keycloakTrial = async (dir: string): Promise<Trial> => {
  const system = await startKeycloak({ dir });
  const realm = settingOf(system, 'KEYCLOAK_REALM');
  const login = { username: 'ada@example.test', password: 'Correct-Horse-7' };
  return {
    system,
    leave: () => createKeycloakAdmin(system, realm).createUser({ email: login.username, password: login.password }),
    async find() {
      const response = await fetch(`${system.url}/realms/${realm}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: settingOf(system, 'KEYCLOAK_CLIENT_ID'),
          client_secret: settingOf(system, 'KEYCLOAK_CLIENT_SECRET'),
          ...login,
        }),
      });
      expect(response.status, await response.text()).to.equal(200);
    },
  };
};

const doubleTrial = async (dir: string): Promise<Trial> => {
  const system = await startEventStoreDouble({ dir });
  const whileConnected = async (work: (client: EventStoreDBClient) => Promise<unknown>) => {
    const client = EventStoreDBClient.connectionString(settingOf(system, 'EVENTSTORE_URL'));
    try {
      await work(client);
    } finally {
      await client.dispose();
    }
  };
  return {
    system,
    leave: () => whileConnected((client) => client.appendToStream('left', jsonEvent({ type: 'There', data: {} }))),
    find: () =>
      whileConnected(async (client) => {
        let found = 0;
        for await (const _event of client.readStream('left')) found += 1;
        expect(found).to.equal(1);
      }),
  };
};

const daprTrial = async (dir: string): Promise<Trial> => {
  const redis = await startRedis({ dir, password: 'secret' });
  const tokens = { dapr_api_token: 'token-of-the-sidecar', app_api_token: 'token-of-the-application' };
  const app_port = await keptPort(dir, 'nobody');
  const sidecar = await startDaprd({ dir, app_id: 'budapp', app_port, tokens, redis: redis.settings });
  const state = `http://127.0.0.1:${sidecar.http_port}/v1.0/state/statestore-redis`;
  const headers = { 'dapr-api-token': tokens.dapr_api_token, 'content-type': 'application/json' };
  const close = async (): Promise<void> => {
    await sidecar.close();
    await redis.close();
  };
  return {
    system: { ...sidecar, close },
    async leave() {
      const body = JSON.stringify([{ key: 'left', value: 'there' }]);
      const response = await fetch(state, { method: 'POST', headers, body });
      expect(response.status, await response.text()).to.equal(204);
    },
    async find() {
      const response = await fetch(`${state}/left`, { headers });
      expect(await response.text()).to.equal('"there"');
    },
  };
};

const TRIALS = {
  nats: natsTrial,
  minio: minioTrial,
  redis: redisTrial,
  postgres: postgresTrial,
  keycloak: keycloakTrial,
  'eventstore-double': doubleTrial,
  'dapr-budapp': daprTrial,
};

describe('starters', function () {
  this.timeout(240_000);
  let dir: string;
  const open: { close(): Promise<void> }[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budapp-starters-'));
  });
  afterEach(async () => {
    for (const resource of open.splice(0).reverse()) await resource.close();
  });
  after(() => rm(dir, { recursive: true, force: true }));

  for (const [name, startTrial] of Object.entries(TRIALS)) {
    describe(name, () => {
      const started = async (context: Mocha.Context): Promise<Trial> => {
        const trial = await orSkip(context, startTrial(dir));
        open.push(trial.system);
        return trial;
      };

      it('is of use at once, and keeps its address and data over an orderly end, kill -9 and another run', async function () {
        const first = await started(this);
        expect(first.system.name).to.equal(name);
        expect(first.system.version).to.match(/\d/);
        await first.leave();
        await first.find();
        for (const how of ['orderly', 'kill'] as const) {
          await first.system.stop(how);
          await first.system.stop(how);
          expect(await failureOf(first.find())).to.be.instanceOf(Error);
          await first.system.start();
          await first.system.start();
          await first.find();
        }
        await first.system.close();
        const second = await started(this);
        expect(second.system.settings).to.deep.equal(first.system.settings);
        await second.find();
      });
    });
  }

  describe('whoever starts them', () => {
    const children: ChildProcess[] = [];
    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
    });

    /** Runs NATS and Redis in a process of its own; answers where. */
    const startOwner = async (): Promise<{ owner: ChildProcess; nats_url: string }> => {
      const owner = fork(OWNER, [dir], { execArgv: [] });
      children.push(owner);
      const [message] = await once(owner, 'message');
      return { owner, nats_url: message.nats_url };
    };
    const answers = async (url: string): Promise<boolean> => {
      try {
        await (await connect({ servers: new URL(url).host, reconnect: false })).close();
        return true;
      } catch {
        return false;
      }
    };

    it('takes them along when it is killed, and the next one starts as if nothing had been', async function () {
      await (await orSkip(this, startNats({ dir }))).close();
      const { owner, nats_url } = await startOwner();
      expect(await answers(nats_url)).to.equal(true);
      owner.kill('SIGKILL');
      await eventually('it is gone', async () => !(await answers(nats_url)));
      const nats = await startNats({ dir });
      open.push(nats);
      expect(nats.settings.NATS_URL).to.equal(nats_url);
    });

    it('is refused where another one runs the same system from the same folder', async function () {
      await (await orSkip(this, startNats({ dir }))).close();
      const { owner, nats_url } = await startOwner();
      expect(await failureOf(startNats({ dir }))).to.have.property(
        'message',
        `nats already runs from ${dir}, started by process ${owner.pid}`,
      );
      expect(await answers(nats_url)).to.equal(true);
      const exited = once(owner, 'exit');
      owner.send('close');
      await exited;
      expect(await answers(nats_url)).to.equal(false);
    });
  });

  it('shows the last words of one that does not start', async function () {
    const nats = await orSkip(this, startNats({ dir }));
    await nats.stop();
    const port = Number(new URL(settingOf(nats, 'NATS_URL')).port);
    const squatter = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      expect(String(await failureOf(nats.start()))).to.match(
        /^Error: nats ended with exit code 1; its last words:\n.*address already in use/s,
      );
    } finally {
      squatter.close();
    }
  });

  it('lets only its owner read a password', async function () {
    open.push(await orSkip(this, startMinio({ dir })));
    const file = join(dir, 'minio.secret');
    expect((await readFile(file, 'utf8')).trim()).to.match(/^[0-9a-f]{32}$/);
  });
});
