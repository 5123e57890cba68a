import { setTimeout as delay } from 'node:timers/promises';
import { v7 } from 'uuid';
import { ADMIN } from '../e2e/budapp.ts';
import { openPool } from '../pool.ts';
import { fillEndpoints, getEndpoints, headersOf, type Served } from './http.ts';
import { type BenchLine, compare, type Run } from './measure.ts';

const WRITES_A_SECOND = 100;

const postJson = async (url: string, token: string, body: unknown): Promise<Response> => {
  const response = await fetch(url, { method: 'POST', headers: headersOf(token), body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status}`);
  return response;
};

/** Another admin at the same process. */
const anotherAdmin = async ({ url, token }: Served): Promise<string> => {
  const account = { email: `${v7()}@example.test`, password: ADMIN.password };
  await postJson(`${url}/auth/register`, token, { ...account, name: 'Another' });
  const login = async (): Promise<string> => {
    const answer: unknown = await (await postJson(`${url}/auth/login`, token, account)).json();
    if (typeof answer !== 'object' || answer === null || !('access_token' in answer)) throw new Error('no token');
    return String(answer.access_token);
  };
  const other = await login();
  const me: unknown = await (await fetch(`${url}/auth/me`, { headers: headersOf(other) })).json();
  if (typeof me !== 'object' || me === null || !('user_id' in me)) throw new Error('no user');
  const promoted = await fetch(`${url}/users/${String(me.user_id)}/permissions`, {
    method: 'PUT',
    headers: headersOf(token),
    body: JSON.stringify({ role: 'admin', scopes: [] }),
  });
  if (!promoted.ok) throw new Error(`the other user is no admin: ${promoted.status}`);
  return other;
};

/** Runs while the holder of `token` writes at a steady rate. */
const whileWriting = async ({ url }: Served, token: string, run: () => Promise<Run>): Promise<Run> => {
  let over = false;
  const writing = (async () => {
    const start = performance.now();
    for (let n = 0; !over; n += 1) {
      await postJson(`${url}/projects`, token, { name: `written-${v7()}`, description: '', tags: [] });
      await delay(Math.max(0, start + ((n + 1) * 1000) / WRITES_A_SECOND - performance.now()));
    }
  })();
  const measured = await run().finally(() => {
    over = true;
  });
  await writing;
  return measured;
};

/**
 * What it costs that a user reads own writes: beside a process that does not ask the log (`plain`), and while the read
 * models still have to show what the reader has just written, beside a reader who waits for nothing.
 */
export const benchOwnWrites = async (served: Served, plain: Served): Promise<BenchLine[]> => {
  const { pool, close } = openPool(served.connection_string, 1);
  try {
    const ids = await fillEndpoints([pool], served.tenant_id);
    await pool.query('analyze endpoints');
    const other = await anotherAdmin(served);
    const read = () => getEndpoints(served.url, headersOf(served.token), ids);
    return [
      await compare(
        { what: 'GET /endpoints/{id}, beside one that knows of no own writes', goal: 0.75, unit: 'requests/s' },
        { baseline: () => getEndpoints(plain.url, headersOf(plain.token), ids), ours: read },
      ),
      await compare(
        { what: 'GET /endpoints/{id} of who writes 100/s, beside a bystander', goal: 0, unit: 'requests/s' },
        {
          baseline: () => whileWriting(served, other, read),
          ours: () => whileWriting(served, served.token, read),
        },
      ),
    ];
  } finally {
    await close();
  }
};
