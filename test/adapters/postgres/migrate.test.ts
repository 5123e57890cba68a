import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { migrate, SchemaTooNew } from '../../../src/adapters/postgres/migrate.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

describe('migrate', () => {
  let database: TestDatabase;
  let admin: pg.Client;
  let dir: string;

  beforeEach(async () => {
    database = await testDatabase();
    admin = new pg.Client({ connectionString: database.connection_string });
    await admin.connect();
    await admin.query('drop schema public cascade; create schema public');
    dir = await mkdtemp(join(tmpdir(), 'budapp-migrations-'));
    await writeFile(join(dir, '0001-first.sql'), 'create table first (n integer);');
  });

  afterEach(async () => {
    await admin.end();
    await database.close();
    await rm(dir, { recursive: true });
  });

  const run = (): Promise<string[]> => migrate({ connectionString: database.connection_string, dir });

  const refusal = (): Promise<unknown> =>
    run().then(
      () => expect.fail('was not refused'),
      (error: unknown) => error,
    );

  const tables = async (): Promise<string[]> => {
    const { rows } = await admin.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public' order by 1",
    );
    return rows.map(({ name }) => name);
  };

  it('runs what is new, in order, once', async () => {
    expect(await run()).to.deep.equal(['0001-first']);
    expect(await run()).to.deep.equal([]);
    await writeFile(join(dir, '0002-second.sql'), 'alter table first add m integer;');
    await writeFile(join(dir, '0010-third.sql'), 'alter table first drop m;');
    await writeFile(join(dir, 'README.md'), 'not a migration');
    expect(await run()).to.deep.equal(['0002-second', '0010-third']);
  });

  it('runs once where several start at the same time', async () => {
    const ran = await Promise.all([run(), run(), run(), run()]);
    expect(ran.flat()).to.deep.equal(['0001-first']);
  });

  it('leaves everything as it was where one migration fails', async () => {
    await run();
    const before = await tables();
    await writeFile(join(dir, '0002-second.sql'), 'create table second (n integer);');
    await writeFile(join(dir, '0003-broken.sql'), 'create tabel third (n integer);');
    expect(await refusal()).to.be.instanceOf(pg.DatabaseError);
    expect(await tables()).to.deep.equal(before);
  });

  describe('on a schema that a newer version has migrated', () => {
    /** The newer version's start; afterwards the folder is the older version's again. */
    const upgrade = async (files: Readonly<Record<string, string>>): Promise<void> => {
      await run();
      for (const [name, sql] of Object.entries(files)) await writeFile(join(dir, `${name}.sql`), sql);
      await run();
      for (const name of Object.keys(files)) await rm(join(dir, `${name}.sql`));
    };

    it('starts the older version, and the newer one again', async () => {
      const newer = { '0002-newer': 'create table newer (n integer);' };
      await upgrade(newer);
      expect(await run()).to.deep.equal([]);
      expect(await tables()).to.include('newer');
      await upgrade(newer);
      expect(await run()).to.deep.equal([]);
    });

    it('refuses the older version after a breaking migration, and says which and why', async () => {
      await upgrade({
        '0002-newer': 'create table newer (n integer);',
        '0003-gone': '-- breaking: the table first is gone\ndrop table first;',
      });
      const error = await refusal();
      expect(error)
        .to.be.instanceOf(SchemaTooNew)
        .and.deep.include({ migrations: ['0003-gone'] });
      expect(String(error)).to.contain('0003-gone (the table first is gone)');
    });

    it('refuses only versions from before the migration that a breaking one names', async () => {
      await writeFile(join(dir, '0002-second.sql'), 'create table second (n integer);');
      await upgrade({ '0003-gone': '-- breaking before 0002-second: the table first is gone\ndrop table first;' });
      expect(await run()).to.deep.equal([]);
      await rm(join(dir, '0002-second.sql'));
      expect(await refusal()).to.be.instanceOf(SchemaTooNew);
    });

    it('does not count a break whose migration failed', async () => {
      await run();
      await writeFile(join(dir, '0002-gone.sql'), '-- breaking: fails\ndrop tabel first;');
      expect(await refusal()).to.be.instanceOf(pg.DatabaseError);
      await rm(join(dir, '0002-gone.sql'));
      expect(await run()).to.deep.equal([]);
    });

    it('refuses a version that has migrations of its own, and names what it does not know', async () => {
      await upgrade({ '0002-newer': 'create table newer (n integer);' });
      await writeFile(join(dir, '0003-other.sql'), 'create table other (n integer);');
      const error = await refusal();
      expect(error)
        .to.be.instanceOf(SchemaTooNew)
        .and.deep.include({ migrations: ['0002-newer'] });
      expect(await tables()).to.not.include('other');
    });
  });

  it('refuses a first line that means to say what breaks and does not', async () => {
    for (const line of ['-- breaking', '-- Breaking: no', '-- breaking before 0009-nothing: no']) {
      await writeFile(join(dir, '0002-unclear.sql'), `${line}\ncreate table second (n integer);`);
      expect(String(await refusal()), line).to.contain('0002-unclear.sql');
    }
    expect(await tables()).to.deep.equal([]);
  });

  it("takes this version's own migrations", async () => {
    const ran = await migrate({ connectionString: database.connection_string });
    expect(ran[0]).to.equal('0001-log');
    expect(await tables()).to.include('log_events');
  });
});
