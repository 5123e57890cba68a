import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEventStoreDouble } from '../eventstore-double/double.ts';
import { type ExpiredServer, startExpiredPostgres, startExpiredTls } from './harness/expired-servers.ts';
import { startWrongly } from './harness/failing-start.ts';
import type { System } from './harness/system.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { startMinio } from './servers/minio.ts';
import { startNats } from './servers/nats.ts';
import { startPostgres } from './servers/postgres.ts';

type Settings = Record<string, string>;

/** Nobody listens on it: it needs root, and no service of that number is in use any more. */
const NOBODY = '127.0.0.1:1';

describe('a start with a setting that is wrong ends and names it', function () {
  this.timeout(240_000);
  const opened: { close(): Promise<void> }[] = [];
  let dir: string;
  /** What each system needs to be used. */
  let right: Record<'postgres' | 'nats' | 'minio' | 'keycloak', Settings>;
  let expired: ExpiredServer;
  let expiredPostgres: ExpiredServer;
  let eventStorePort: number;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budapp-wrong-'));
    const open = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
      const system = await starting;
      opened.push(system);
      return system;
    };
    const settingsOf = async (starting: Promise<System>): Promise<Settings> => ({ ...(await open(starting)).settings });
    const minio = await open(startMinio({ dir }));
    await minio.makeBucket();
    right = {
      postgres: { ...(await settingsOf(startPostgres({ dir }))), MASTER_KEY: randomBytes(32).toString('base64') },
      nats: await settingsOf(startNats({ dir, auth: { user: 'budapp', password: 'right' } })),
      minio: { ...minio.settings },
      keycloak: await settingsOf(startKeycloak({ dir })),
    };
    expired = await open(startExpiredTls());
    expiredPostgres = await open(startExpiredPostgres());
    const credentials = { username: 'admin', password: 'right' };
    eventStorePort = (await open(createEventStoreDouble({ credentials }))).port;
  });
  after(async () => {
    for (const system of opened.reverse()) await system.close();
    await rm(dir, { recursive: true, force: true });
  });

  const portOf = (address: string | undefined): string => address?.split(':').at(-1) ?? '';

  const CASES: readonly [title: string, settings: () => Settings, named: readonly string[]][] = [
    [
      'the password of Postgres',
      () => ({ ...right.postgres, POSTGRES_PASSWORD: 'wrong' }),
      ['Postgres refuses the user', 'POSTGRES_USER', 'POSTGRES_PASSWORD'],
    ],
    ['the port of Postgres', () => ({ ...right.postgres, POSTGRES_PORT: '1' }), ['POSTGRES_HOST', 'POSTGRES_PORT']],
    ['the database of Postgres', () => ({ ...right.postgres, POSTGRES_DB: 'nothing' }), ['POSTGRES_DB']],
    [
      'an expired certificate of Postgres',
      () => ({ ...right.postgres, POSTGRES_SSL: 'true', POSTGRES_PORT: String(expiredPostgres.port) }),
      ['certificate', 'POSTGRES_SSL'],
    ],
    ['the address of NATS', () => ({ NATS_URL: `nats://${NOBODY}` }), ['NATS', 'NATS_URL']],
    [
      'the password of NATS',
      () => ({ NATS_URL: `nats://budapp:wrong@127.0.0.1:${portOf(right.nats.NATS_URL)}` }),
      ['NATS_URL'],
    ],
    ['the address of MinIO', () => ({ ...right.minio, MINIO_ENDPOINT: NOBODY }), ['MinIO', 'MINIO_ENDPOINT']],
    [
      'the secret key of MinIO',
      () => ({ ...right.minio, MINIO_SECRET_KEY: 'wrong-secret' }),
      ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'],
    ],
    ['the bucket', () => ({ ...right.minio, MINIO_BUCKET_NAME: 'misspelt' }), ['MinIO', 'MINIO_BUCKET_NAME']],
    [
      'an expired certificate of MinIO',
      () => ({ ...right.minio, MINIO_SECURE: 'true', MINIO_ENDPOINT: `127.0.0.1:${expired.port}` }),
      ['certificate', 'MINIO_ENDPOINT'],
    ],
    [
      'the address of Keycloak',
      () => ({ ...right.keycloak, KEYCLOAK_URL: `http://${NOBODY}` }),
      ['Keycloak', 'KEYCLOAK_URL'],
    ],
    ['a realm that is missing', () => ({ ...right.keycloak, KEYCLOAK_REALM: 'nowhere' }), ['KEYCLOAK_REALM']],
    [
      'the client secret of Keycloak',
      () => ({ ...right.keycloak, KEYCLOAK_CLIENT_SECRET: 'wrong-secret' }),
      ['KEYCLOAK_CLIENT_ID', 'KEYCLOAK_CLIENT_SECRET'],
    ],
    [
      'an expired certificate of Keycloak',
      () => ({ ...right.keycloak, KEYCLOAK_URL: `https://127.0.0.1:${expired.port}` }),
      ['certificate', 'KEYCLOAK_URL'],
    ],
    [
      'the address of EventStoreDB',
      () => ({ EVENTSTORE_URL: `esdb://${NOBODY}?tls=false` }),
      ['EventStoreDB', 'EVENTSTORE_URL'],
    ],
    [
      'the password of EventStoreDB',
      () => ({ EVENTSTORE_URL: `esdb://admin:wrong@127.0.0.1:${eventStorePort}?tls=false` }),
      ['EventStoreDB', 'EVENTSTORE_URL'],
    ],
    [
      'an expired certificate of EventStoreDB',
      () => ({ EVENTSTORE_URL: `esdb://127.0.0.1:${expired.port}?tls=true` }),
      ['certificate', 'EVENTSTORE_URL'],
    ],
  ];

  for (const [title, settings, named] of CASES) {
    it(title, async () => {
      const { code, output } = await startWrongly(settings(), join(dir, 'data'));
      expect(code, output).to.equal(1);
      const said = output.slice(output.lastIndexOf('BudApp could not start'));
      expect(said).to.match(/^BudApp could not start/);
      for (const name of named) expect(said).to.contain(name);
      expect(said).not.to.match(/wrong-secret|:wrong|right|\.ts:\d/);
    });
  }
});
