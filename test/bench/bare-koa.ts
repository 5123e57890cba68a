import { json } from 'node:stream/consumers';
import Koa from 'koa';
import { v7 } from 'uuid';
import { openPool } from '../pool.ts';

/*
 * The baseline of the HTTP lines, in a process of its own: Koa, one statement a request, and nothing that BudApp does on
 * top. Started by `http.ts` with a connection string; tells its parent where it listens.
 */

const INSERT = `
  insert into plain_projects (id, name, description, tags) values ($1, $2, $3, $4)
  returning id, name, description, tags, created_at`;
const SELECT = 'select * from endpoints where id = $1';

interface Body {
  name: string;
  description: string;
  tags: readonly string[];
}

const { pool } = openPool(process.argv[2] ?? '', 32);
const app = new Koa();

app.use(async (ctx) => {
  if (ctx.method === 'POST') {
    const { name, description, tags } = (await json(ctx.req)) as Body;
    const { rows } = await pool.query(INSERT, [v7(), name, description, JSON.stringify(tags)]);
    ctx.status = 201;
    ctx.body = rows[0];
    return;
  }
  const { rows } = await pool.query(SELECT, [ctx.path.slice('/endpoints/'.length)]);
  ctx.body = rows[0];
});

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the baseline listens on no port');
  process.send?.({ ready: { url: `http://127.0.0.1:${address.port}` } });
});

// Whoever measures has ended, in whatever way.
process.once('disconnect', () => process.exit(0));
