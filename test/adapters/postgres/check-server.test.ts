import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { checkPostgres } from '../../../src/adapters/postgres/check-server.ts';
import { SystemUnusable } from '../../../src/errors.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

/** What a server sends that refuses whoever connects. */
const refusal = (code: string, message: string): Buffer => {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
};

const problemWith = async (connectionString: string): Promise<SystemUnusable> => {
  const error = await checkPostgres({ connectionString }).catch((error: unknown) => error);
  if (error instanceof SystemUnusable) return error;
  throw new Error('nothing was wrong');
};

describe('a Postgres that cannot be used', function () {
  this.timeout(300_000);
  const REFUSALS: readonly [said: string, code: string, settings: readonly string[]][] = [
    ['password authentication failed', '28P01', ['POSTGRES_USER', 'POSTGRES_PASSWORD']],
    ['no pg_hba.conf entry for host, no encryption', '28000', ['POSTGRES_USER', 'POSTGRES_SSL']],
    ['permission denied for database', '42501', ['POSTGRES_USER', 'POSTGRES_DB']],
    ['database does not exist', '3D000', ['POSTGRES_DB']],
  ];
  for (const [said, code, settings] of REFUSALS) {
    it(`names the settings where it says "${said}", and does not wait`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined).once('data', () => socket.end(refusal(code, said)));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('it listens on no port');
      try {
        const problem = await problemWith(`postgres://budapp:secret@127.0.0.1:${address.port}/budapp`);
        expect(problem.settings).to.include.members(settings);
        expect(problem.transient).to.equal(false);
      } finally {
        server.close();
      }
    });
  }

  it('says that the user may make no tables, before a migration fails of it', async () => {
    const database = await testDatabase();
    const { pool, close } = openPool(database.connection_string);
    try {
      await pool.query("create role only_guest login password 'guest'");
      const url = new URL(database.connection_string);
      Object.assign(url, { username: 'only_guest', password: 'guest' });
      const problem = await problemWith(url.href);
      expect(problem.settings).to.deep.equal(['POSTGRES_USER', 'POSTGRES_DB']);
      expect(problem.transient).to.equal(false);
      await checkPostgres({ connectionString: database.connection_string });
    } finally {
      await pool.query('drop role if exists only_guest');
      await close();
      await database.close();
    }
  });
});
