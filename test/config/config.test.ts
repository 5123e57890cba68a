import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { ConfigError, loadConfig, SETTINGS } from '../../src/config/config.ts';

const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

const REAL_SYSTEMS = {
  NODE_ENV: 'production',
  POSTGRES_HOST: 'db.example.com',
  MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
  KEYCLOAK_URL: 'https://login.example.com/',
  KEYCLOAK_REALM: 'bud',
  KEYCLOAK_CLIENT_ID: 'budapp',
  KEYCLOAK_CLIENT_SECRET: 'secret-of-the-client',
  BUDCLUSTER_SERVICE_URL: 'http://budcluster:9082',
  BUDMODEL_SERVICE_URL: 'http://budmodel:9083',
  BUDSIM_SERVICE_URL: 'http://budsim:9084',
  BUDMETRICS_SERVICE_URL: 'http://budmetrics:9085',
  ALLOW_STAND_INS: 'status-bus, object-store',
};

const MINIO = { MINIO_ENDPOINT: 'minio:9000', MINIO_ACCESS_KEY: 'key', MINIO_SECRET_KEY: 'secret' };

describe('config', () => {
  it('needs no setting at all', () => {
    const config = loadConfig({ PATH: '/usr/bin', HOME: '/root' });
    expect(config).to.include({ port: 9081, host: '127.0.0.1', data_dir: '.data', postgres: null, keycloak: null });
    expect(config.admin).to.deep.equal({ email: 'admin@budapp.local', password: undefined });
    expect(config.token_lifetimes).to.deep.equal({ access_token: 1800, refresh_token: 604800 });
  });

  it('lists every problem at once, in words', () => {
    const problems = problemsOf({
      PORT: 'abc',
      LOG_LEVEL: 'loud',
      ROLES: 'api,cook',
      POSTGRES_SSL: 'yes',
      PUBLIC_URL: 'here',
    });
    expect(problems).to.have.members([
      'PORT must be a number between 0 and 65535, not "abc"',
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      'ROLES must be "all" or a list of api, projector, processes; "cook" is none of them',
      'POSTGRES_SSL must be one of true, false, not "yes"',
      'PUBLIC_URL must be an address like http://localhost:9082, without user, password and query',
    ]);
  });

  for (const PORT of ['-1', '65536', '80.5', ' ', '0x']) {
    it(`refuses the port ${JSON.stringify(PORT)}`, () => expect(problemsOf({ PORT })).to.have.length(1));
  }

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ PORT: '', POSTGRES_HOST: '', NATS_URL: '' })).to.include({ port: 9081, postgres: null });
  });

  it('never repeats a secret in a message', () => {
    const secret = 'not-a-key-but-secret';
    const text = problemsOf({ MASTER_KEY: secret, DAPR_API_TOKEN: 'short-secret', PORT: 'x' }).join();
    expect(text).to.contain('MASTER_KEY').and.contain('DAPR_API_TOKEN');
    expect(text).not.to.contain(secret).and.not.to.contain('short-secret');
  });

  it('refuses BUDNOTIFY_SERVICE_URL, which this version cannot honour', () => {
    expect(problemsOf({ BUDNOTIFY_SERVICE_URL: 'http://notify' })).to.deep.equal([
      'BUDNOTIFY_SERVICE_URL is set, but this version does not connect to the notify service yet; remove it',
    ]);
  });

  it('refuses addresses that are none, without showing what may hold a password', () => {
    const problems = problemsOf({
      EVENTSTORE_URL: 'http://admin:changeit@es:2113',
      NATS_URL: 'localhost:4222',
      MINIO_ENDPOINT: 'http://minio:9000',
      MINIO_ACCESS_KEY: 'key',
      MINIO_SECRET_KEY: 'secret',
    });
    expect(problems).to.deep.equal([
      'EVENTSTORE_URL must begin with esdb:// or esdb+discover:// or kurrentdb:// or kurrentdb+discover:// or kdb:// or kdb+discover:// and name a server',
      'NATS_URL must begin with nats:// or tls:// and name a server',
      'MINIO_ENDPOINT must be a host, or host:port, without a scheme, like localhost:9000',
    ]);
  });

  it('wants the keys of MinIO with its address, and the other way round', () => {
    expect(problemsOf({ MINIO_ENDPOINT: 'minio:9000' })).to.have.members([
      'MINIO_ACCESS_KEY must be set where MINIO_ENDPOINT is',
      'MINIO_SECRET_KEY must be set where MINIO_ENDPOINT is',
    ]);
    expect(problemsOf({ MINIO_ACCESS_KEY: 'key' })).to.deep.equal([
      'MINIO_ACCESS_KEY is set, but MINIO_ENDPOINT is not',
    ]);
  });

  it('takes roles in processes of their own only where all that they share is shared', () => {
    const shared = { ...REAL_SYSTEMS, NATS_URL: 'nats://n:4222', ...MINIO, DAPR_API_TOKEN: 'a-token-of-the-sidecar' };
    expect(loadConfig({ ...shared, ROLES: 'projector, api' }).roles).to.deep.equal(['api', 'projector']);
    const { NATS_URL: _, DAPR_API_TOKEN: __, ...lacking } = shared;
    expect(problemsOf({ ...lacking, ROLES: 'projector' })).to.deep.equal([
      'ROLES=projector needs one status-bus for all processes: set NATS_URL',
      'ROLES=projector needs one secret for all processes: set APP_API_TOKEN or DAPR_API_TOKEN',
    ]);
  });

  it('asks of a role only for what it works with', () => {
    const { POSTGRES_HOST, MASTER_KEY } = REAL_SYSTEMS;
    const shared = { POSTGRES_HOST, MASTER_KEY, NODE_ENV: 'production', DAPR_API_TOKEN: 'a-token-of-the-sidecar' };
    expect(loadConfig({ ...shared, NATS_URL: 'nats://n:4222', ROLES: 'projector' }).stand_ins).to.deep.equal([]);
    const working = { ...shared, ...MINIO, DAPR_HTTP_PORT: '3510', ROLES: 'processes' };
    expect(loadConfig(working).stand_ins).to.deep.equal([]);
    expect(problemsOf({ ...working, ROLES: 'api' })).to.include(
      'ROLES=api needs one identity for all processes: set KEYCLOAK_URL',
    );
  });

  it('takes a sidecar for all services', () => {
    const config = loadConfig({ DAPR_HTTP_PORT: '3510', DAPR_API_TOKEN: 'a-token-of-the-sidecar' });
    expect(config.stand_ins).to.deep.equal(['postgres', 'identity', 'status-bus', 'object-store']);
    expect(config.dapr).to.include({ http_port: 3510, api_token: 'a-token-of-the-sidecar' });
    expect(config.app_api_token).to.equal('a-token-of-the-sidecar');
  });

  it('wants all of Keycloak or none of it', () => {
    expect(problemsOf({ KEYCLOAK_URL: 'https://k.example.com', KEYCLOAK_REALM: 'bud' })).to.have.members([
      'KEYCLOAK_CLIENT_ID must be set where KEYCLOAK_URL is',
      'KEYCLOAK_CLIENT_SECRET must be set where KEYCLOAK_URL is',
    ]);
  });

  it('reads several realms, and where the world reaches Keycloak', () => {
    const env = {
      ...REAL_SYSTEMS,
      KEYCLOAK_REALM: 'north, south,north',
      KEYCLOAK_PUBLIC_URL: 'https://id.example.com',
    };
    const { keycloak } = loadConfig({ ...env, KEYCLOAK_ALLOW_HTTP: 'true' });
    expect(keycloak).to.include({ public_url: 'https://id.example.com', allow_http: true });
    expect(keycloak?.realms).to.deep.equal(['north', 'south']);
  });

  for (const KEYCLOAK_REALM of ['a/b', 'a,,b', ',']) {
    it(`refuses the realm ${JSON.stringify(KEYCLOAK_REALM)}`, () =>
      expect(problemsOf({ ...REAL_SYSTEMS, KEYCLOAK_REALM })).to.have.length(1));
  }

  it('refuses a client secret that is only the place for one', () => {
    const place = ['$', '{KEYCLOAK_CLIENT_SECRET}'].join('');
    expect(problemsOf({ ...REAL_SYSTEMS, KEYCLOAK_CLIENT_SECRET: place })).to.deep.equal([
      'KEYCLOAK_CLIENT_SECRET is the name of a variable, not its value',
    ]);
  });

  it('does not quietly use the local provider where Keycloak was meant', () => {
    expect(problemsOf({ KEYCLOAK_REALM: 'bud' })).to.deep.equal(['KEYCLOAK_REALM is set, but KEYCLOAK_URL is not']);
  });

  it('reads a real installation', () => {
    const config = loadConfig(REAL_SYSTEMS);
    expect(config.stand_ins).to.deep.equal(['status-bus', 'object-store']);
    expect(config.keycloak).to.include({ url: 'https://login.example.com', public_url: 'https://login.example.com' });
    expect(config.keycloak?.realms).to.deep.equal(['bud']);
    expect(config.postgres).to.include({ host: 'db.example.com', port: 5432, ssl: false });
    expect(config.master_key?.equals(Buffer.alloc(32, 7))).to.equal(true);
  });

  it('reads a master key in hex, too', () => {
    expect(loadConfig({ MASTER_KEY: 'ab'.repeat(32) }).master_key?.equals(Buffer.alloc(32, 0xab))).to.equal(true);
  });

  it('refuses in production each stand-in that is not allowed', () => {
    const { BUDSIM_SERVICE_URL: _, ...env } = REAL_SYSTEMS;
    expect(problemsOf(env)).to.deep.equal([
      'simulator would be a stand-in, which NODE_ENV=production refuses: set BUDSIM_SERVICE_URL or DAPR_HTTP_PORT, or add simulator to ALLOW_STAND_INS',
    ]);
    expect(problemsOf({ NODE_ENV: 'production', ALLOW_STAND_INS: 'true' })).to.deep.equal([]);
    expect(problemsOf({ NODE_ENV: 'production' })).to.have.length(8);
  });

  it('is explained whole in .env.example, with the real defaults', () => {
    const example = parseEnv(readFileSync(new URL('../../.env.example', import.meta.url), 'utf8'));
    expect(Object.keys(example)).to.have.members([...SETTINGS]);
    expect(loadConfig(example)).to.deep.equal(loadConfig({}));
  });
});
