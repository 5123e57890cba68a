import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { orSkip } from './harness/or-skip.ts';
import { runCommand } from './harness/run-command.ts';
import { needKeycloak } from './install/keycloak.ts';
import { needTool } from './install/tools.ts';
import { type KeycloakSystem, startKeycloak } from './servers/keycloak.ts';
import { startPostgres } from './servers/postgres.ts';

const fileOf = (name: string): string => fileURLToPath(new URL(`../../deploy/compose/${name}`, import.meta.url));

const query = async (connectionString: string, statement: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(statement)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
};

describe('what docker-compose.yml prepares the systems with', function () {
  this.timeout(300_000);
  let dir: string;
  const opened: { close(): Promise<void> }[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budapp-compose-init-'));
  });
  after(async () => {
    for (const system of opened.reverse()) await system.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('makes a database each for BudApp and Keycloak, closed to the other', async function () {
    const postgres = await orSkip(this, startPostgres({ dir }));
    opened.push(postgres);
    const admin = postgres.admin_connection_string;
    // The image begins with neither.
    await query(admin, 'drop database budapp');
    await query(admin, 'drop role budapp');
    const { hostname, port, password } = new URL(admin);
    await runCommand('/bin/sh', [fileOf('postgres-init.sh')], {
      env: {
        PATH: `${postgres.programs}:${process.env.PATH}`,
        ...{ PGHOST: hostname, PGPORT: port, PGPASSWORD: password, POSTGRES_USER: 'postgres' },
        BUDAPP_PASSWORD: 'first',
        KEYCLOAK_PASSWORD: 'second',
      },
    });
    const at = (user: string, secret: string, database: string) =>
      `postgres://${user}:${secret}@${hostname}:${port}/${database}`;
    // In the schema public, as its owner.
    await query(at('budapp', 'first', 'budapp'), 'create table t ()');
    expect(await query(at('keycloak', 'second', 'keycloak'), 'select current_user as user')).to.deep.equal([
      { user: 'keycloak' },
    ]);
    const refusal = await query(at('keycloak', 'second', 'budapp'), 'select 1').catch((error: Error) => error.message);
    expect(refusal).to.match(/permission denied/);
  });

  it("makes the realm's first admin once, whose password stays his", async function () {
    const { distribution } = await orSkip(this, needKeycloak());
    const keycloak: KeycloakSystem = await orSkip(this, startKeycloak({ dir }));
    opened.push(keycloak);
    const email = 'admin@example.test';
    const prepare = (password: string) =>
      runCommand('bash', [fileOf('keycloak-init.sh')], {
        env: {
          KCADM: join(distribution, 'bin', 'kcadm.sh'),
          HOME: dir,
          KEYCLOAK_URL: keycloak.url,
          KEYCLOAK_ADMIN: keycloak.admin.user,
          KC_CLI_PASSWORD: keycloak.admin.password,
          REALM: 'bud-serve',
          ADMIN_EMAIL: email,
          ADMIN_PASSWORD: password,
        },
      });
    const logIn = async (password: string) => {
      const response = await fetch(`${keycloak.url}/realms/bud-serve/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({
          ...{ grant_type: 'password', username: email, password, scope: 'openid' },
          client_id: keycloak.settings.KEYCLOAK_CLIENT_ID ?? '',
          client_secret: keycloak.settings.KEYCLOAK_CLIENT_SECRET ?? '',
        }),
      });
      return (await response.json()) as { access_token?: string };
    };
    await prepare('Aa1-first-password');
    await prepare('Aa1-other-password');
    const { access_token = '' } = await logIn('Aa1-first-password');
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    expect(JSON.stringify(claims)).to.include('"admin"').and.to.include(email);
    expect(await logIn('Aa1-other-password')).not.to.have.property('access_token');
  });

  it('gives NATS a configuration that it takes, and no way in without the password', async function () {
    const { program } = await orSkip(this, needTool('nats-server'));
    const check = (env: Record<string, string>) =>
      runCommand(program, ['-t', '--config', fileOf('nats.conf')], { env });
    expect(await check({ NATS_PASSWORD: 'secret' })).to.match(/successful|valid/i);
    const failure = await check({}).catch((error: Error) => error.message);
    expect(failure).to.include('NATS_PASSWORD');
  });
});
