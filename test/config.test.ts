import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { ConfigError, loadConfig, SETTINGS } from '../src/config.ts';

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
      ROLES: 'api',
      POSTGRES_SSL: 'yes',
      PUBLIC_URL: 'here',
    });
    expect(problems).to.have.members([
      'PORT must be a number between 0 and 65535, not "abc"',
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      'ROLES must be one of all, not "api"',
      'POSTGRES_SSL must be one of true, false, not "yes"',
      'PUBLIC_URL must be an address like http://localhost:9082, not "here"',
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

  for (const name of [
    'EVENTSTORE_URL',
    'NATS_URL',
    'MINIO_ENDPOINT',
    'MINIO_BUCKET_NAME',
    'DAPR_HTTP_PORT',
    'BUDNOTIFY_SERVICE_URL',
  ]) {
    it(`refuses ${name}, which this version cannot honour`, () => {
      const [problem, ...others] = problemsOf({ [name]: 'something' });
      expect(problem).to.match(new RegExp(`^${name} is set, but this version does not connect to`));
      expect(others).to.deep.equal([]);
    });
  }

  it('wants all of Keycloak or none of it', () => {
    expect(problemsOf({ KEYCLOAK_URL: 'https://k.example.com', KEYCLOAK_REALM: 'bud' })).to.have.members([
      'KEYCLOAK_CLIENT_ID must be set where KEYCLOAK_URL is',
      'KEYCLOAK_CLIENT_SECRET must be set where KEYCLOAK_URL is',
    ]);
  });

  it('does not quietly use the local provider where Keycloak was meant', () => {
    expect(problemsOf({ KEYCLOAK_REALM: 'bud' })).to.deep.equal(['KEYCLOAK_REALM is set, but KEYCLOAK_URL is not']);
  });

  it('reads a real installation', () => {
    const config = loadConfig(REAL_SYSTEMS);
    expect(config.stand_ins).to.deep.equal(['status-bus', 'object-store']);
    expect(config.keycloak?.issuer_url).to.equal('https://login.example.com/realms/bud');
    expect(config.postgres).to.include({ host: 'db.example.com', port: 5432, ssl: false });
    expect(config.master_key?.equals(Buffer.alloc(32, 7))).to.equal(true);
  });

  it('reads a master key in hex, too', () => {
    expect(loadConfig({ MASTER_KEY: 'ab'.repeat(32) }).master_key?.equals(Buffer.alloc(32, 0xab))).to.equal(true);
  });

  it('refuses in production each stand-in that is not allowed', () => {
    const { BUDSIM_SERVICE_URL: _, ...env } = REAL_SYSTEMS;
    expect(problemsOf(env)).to.deep.equal([
      'simulator would be a stand-in, which NODE_ENV=production refuses: set BUDSIM_SERVICE_URL, or add simulator to ALLOW_STAND_INS',
    ]);
    expect(problemsOf({ NODE_ENV: 'production', ALLOW_STAND_INS: 'true' })).to.deep.equal([]);
    expect(problemsOf({ NODE_ENV: 'production' })).to.have.length(8);
  });

  it('is explained whole in .env.example, with the real defaults', () => {
    const example = parseEnv(readFileSync(new URL('../.env.example', import.meta.url), 'utf8'));
    expect(Object.keys(example)).to.have.members([...SETTINGS]);
    expect(loadConfig(example)).to.deep.equal(loadConfig({}));
  });
});
