import { expect } from 'chai';
import type { Pool } from 'pg';
import type { EndedSession, TokenIdentity } from '../../../src/adapters/oidc/revocation-entries.ts';
import { createRevocations } from '../../../src/adapters/oidc/revocations.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { eventually } from '../../eventually.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

const log = createLogger({ level: 'silent' });

describe('revocations', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  let pool: Pool;
  let seconds: number;

  const aToken = (changes: Partial<TokenIdentity>): TokenIdentity => ({
    issuer: 'https://login.example.com/realms/north',
    token_id: 't',
    session_id: null,
    subject: 'ada',
    issued_at: seconds - 10,
    expires_at: seconds + 1790,
    ...changes,
  });

  before(async () => {
    database = await testDatabase();
    connections = openPool(database.connection_string, 4);
    pool = connections.pool;
  });
  after(async () => {
    await connections?.close();
    await database?.close();
  });

  // Not when the file is loaded: on a busy machine that may be minutes ago.
  beforeEach(() => {
    seconds = Math.floor(Date.now() / 1000);
  });

  const open = (options: { now?: () => number; poll_ms?: number } = {}) => createRevocations({ pool, log, ...options });

  it('refuses the revoked token and no other', async () => {
    const revocations = await open();
    await revocations.revoke(aToken({ token_id: 'a' }));
    expect(revocations.isRevoked(aToken({ token_id: 'a' }))).to.equal(true);
    expect(revocations.isRevoked(aToken({ token_id: 'b' }))).to.equal(false);
    await revocations.close();
  });

  it('knows from its start on what was revoked before', async () => {
    const before = await open();
    await before.revoke(aToken({ token_id: 'c' }));
    await before.close();
    const after = await open();
    expect(after.isRevoked(aToken({ token_id: 'c' }))).to.equal(true);
    await after.close();
  });

  it('refuses a session up to the logout, and lets the same session in again after a new sign-in', async () => {
    const revocations = await open();
    await revocations.revoke(aToken({ token_id: 'd', session_id: 's' }));
    expect(revocations.isRevoked(aToken({ token_id: 'e', session_id: 's' }))).to.equal(true);
    expect(revocations.isRevoked(aToken({ token_id: 'f', session_id: 's', issued_at: seconds + 60 }))).to.equal(false);
    expect(revocations.isRevoked(aToken({ token_id: 'g', session_id: 'other' }))).to.equal(false);
    await revocations.close();
  });

  const anEnd = (changes: Partial<EndedSession>): EndedSession => ({
    issuer: 'https://login.example.com/realms/north',
    session_id: null,
    subject: null,
    ended_at: seconds,
    message_id: `message-${Math.random()}`,
    message_expires_at: seconds + 120,
    ...changes,
  });

  it('refuses all tokens of a session that the provider ended, in every process', async () => {
    const [here, elsewhere] = await Promise.all([open(), open({ poll_ms: 10 })]);
    expect(await here.end(anEnd({ session_id: 's-ended', subject: 'ada' }))).to.equal(true);
    expect(here.isRevoked(aToken({ token_id: 'j', session_id: 's-ended' }))).to.equal(true);
    expect(here.isRevoked(aToken({ token_id: 'k', session_id: 's-other' }))).to.equal(false);
    const ended = aToken({ token_id: 'j', session_id: 's-ended' });
    await eventually('the other process knows', () => elsewhere.isRevoked(ended));
    await here.close();
    await elsewhere.close();
  });

  it('refuses all tokens that a subject has, where the provider names no session', async () => {
    const revocations = await open();
    await revocations.end(anEnd({ subject: 'grace' }));
    expect(revocations.isRevoked(aToken({ token_id: 'l', session_id: 's-1', subject: 'grace' }))).to.equal(true);
    expect(revocations.isRevoked(aToken({ token_id: 'm', session_id: null, subject: 'grace' }))).to.equal(true);
    expect(revocations.isRevoked(aToken({ subject: 'grace', issued_at: seconds + 1 }))).to.equal(false);
    expect(revocations.isRevoked(aToken({ subject: 'someone-else' }))).to.equal(false);
    await revocations.close();
  });

  it('accepts each logout message once, in whichever process it arrives', async () => {
    const [here, elsewhere] = await Promise.all([open(), open()]);
    const message = anEnd({ subject: 'linus', message_id: 'once' });
    const heard = await Promise.all([here.end(message), elsewhere.end(message)]);
    expect(heard).to.have.members([true, false]);
    await here.close();
    await elsewhere.close();
  });

  it('keeps realms apart: an id that another realm gave refuses nothing', async () => {
    const revocations = await open();
    const there = 'https://login.example.com/realms/south';
    await revocations.revoke(aToken({ issuer: there, token_id: 'n', session_id: 's-n' }));
    await revocations.end(anEnd({ issuer: there, subject: 'ada' }));
    expect(revocations.isRevoked(aToken({ token_id: 'n', session_id: 's-n', subject: 'ada' }))).to.equal(false);
    await revocations.close();
  });

  it('forgets what has expired, in memory and in the table', async () => {
    let time = Date.now();
    const revocations = await open({ now: () => time, poll_ms: 10 });
    const expired = aToken({ token_id: 'h', expires_at: seconds - 120 });
    await revocations.revoke(expired);
    expect(revocations.isRevoked(expired)).to.equal(true);
    time += 61_000;
    await eventually('it is forgotten', () => !revocations.isRevoked(expired));
    await revocations.close();
    const { rows } = await pool.query(`select token_id from revoked_tokens where token_id like '%#token:h'`);
    expect(rows).to.deep.equal([]);
  });

  it('keeps refusing, and says so once, while Postgres cannot be reached', async () => {
    const lines: string[] = [];
    const warned = Promise.withResolvers<void>();
    const noisy = createLogger({
      level: 'warn',
      destination: {
        write: (line) => {
          lines.push(line);
          warned.resolve();
        },
      },
    });
    const lost = openPool(database.connection_string);
    const revocations = await createRevocations({ pool: lost.pool, log: noisy, poll_ms: 5 });
    await revocations.revoke(aToken({ token_id: 'i' }));
    await lost.close();
    await warned.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(revocations.isRevoked(aToken({ token_id: 'i' }))).to.equal(true);
    expect(lines).to.have.length(1);
    await revocations.close();
  });

  it('says that they can be read again, once, when Postgres is back', async () => {
    const lines: string[] = [];
    const told = Promise.withResolvers<void>();
    const write = (line: string) => {
      lines.push(line);
      if (line.includes('again')) told.resolve();
    };
    const lost = openPool(database.connection_string);
    let away = false;
    const query = lost.pool.query.bind(lost.pool);
    lost.pool.query = (...args: unknown[]) =>
      away ? Promise.reject(new Error('away')) : Reflect.apply(query, lost.pool, args);
    const revocations = await createRevocations({
      pool: lost.pool,
      log: createLogger({ level: 'info', destination: { write } }),
      poll_ms: 5,
    });
    away = true;
    await eventually('the outage is logged', () => lines.length > 0);
    away = false;
    await told.promise;
    await revocations.close();
    await lost.close();
    expect(lines.map((line) => JSON.parse(line).level)).to.deep.equal(['warn', 'info']);
  });
});
