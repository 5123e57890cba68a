import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../../src/local/postgres/embedded-postgres.ts';
import { aCertificate } from '../certificate.ts';
import { type OpenedPool, openPool } from '../pool.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';

describe('Postgres over TLS', function () {
  this.timeout(300_000);
  let folder: string;
  let server: EmbeddedPostgres;
  let admin: OpenedPool;
  let authority: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'budapp-tls-'));
    // Walked into by the user that the server runs as.
    await chmod(folder, 0o755);
    server = await createEmbeddedPostgres({ data_dir: folder });
    admin = openPool(server.connection_string, 1);
    authority = join(folder, 'authority.pem');
    await speakTls();
  });
  after(async () => {
    await admin?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const speakTls = async () => {
    const { certificate, key } = await aCertificate();
    await writeFile(authority, certificate);
    const { rows } = await admin.pool.query<{ data_directory: string }>('show data_directory');
    const data = rows[0]?.data_directory ?? '';
    const { uid, gid } = await stat(data);
    for (const [name, text] of Object.entries({ 'server.crt': certificate, 'server.key': key })) {
      await writeFile(join(data, name), text, { mode: 0o600 });
      await chown(join(data, name), uid, gid);
    }
    await admin.pool.query('alter system set ssl = on');
    await admin.pool.query('select pg_reload_conf()');
  };

  it('is used for all that is asked of it, with POSTGRES_SSL', async () => {
    const url = new URL(server.connection_string);
    let budapp: BudApp | null = null;
    try {
      budapp = await startBudApp(join(folder, 'budapp'), {
        POSTGRES_HOST: url.hostname,
        POSTGRES_PORT: url.port,
        POSTGRES_USER: decodeURIComponent(url.username),
        POSTGRES_PASSWORD: decodeURIComponent(url.password),
        POSTGRES_DB: url.pathname.slice(1),
        POSTGRES_SSL: 'true',
        MASTER_KEY: randomBytes(32).toString('base64'),
        NODE_EXTRA_CA_CERTS: authority,
      });
      const client = await loggedIn(budapp);
      await client.get('/projects');
      const { rows } = await admin.pool.query<{ ssl: boolean; count: number }>(
        `select s.ssl, count(*)::integer as count from pg_stat_ssl s join pg_stat_activity a using (pid)
         where a.backend_type = 'client backend' and a.pid <> pg_backend_pid() group by s.ssl`,
      );
      expect(rows.map(({ ssl }) => ssl)).to.deep.equal([true]);
      expect(rows[0]?.count).to.be.greaterThan(2);
    } finally {
      await budapp?.stop();
    }
  });
});
