import { expect } from 'chai';
import type { Revocation, TokenIdentity } from '../../../src/adapters/oidc/revocation-entries.ts';
import { createRevocations, type DurableRevocations } from '../../../src/adapters/oidc/revocations.ts';
import {
  createSharedRevocations,
  type SharedRevocationsOptions,
} from '../../../src/adapters/oidc/shared-revocations.ts';
import { Rejected } from '../../../src/errors.ts';
import type { SharedState } from '../../../src/ports/shared-state.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

const ISSUER = 'https://login.example.com/realms/bud';

/** A state store in memory that can lose everything, be away, or keep whoever asks waiting. */
const createStateDouble = () => {
  const values = new Map<string, { value: string; ttl_seconds: number }>();
  const double = { away: false, mute: false, gets: 0, wakeUp: Promise.withResolvers<void>() };
  const reach = async (): Promise<void> => {
    if (double.mute) await double.wakeUp.promise;
    if (double.away) throw new Rejected('unavailable', 'shared-state-unavailable', 'It is away.');
  };
  const state: SharedState = {
    async put(key, value, { ttl_seconds }) {
      await reach();
      values.set(key, { value, ttl_seconds });
    },
    async get(key) {
      double.gets += 1;
      await reach();
      return values.get(key)?.value ?? null;
    },
  };
  return { values, double, state };
};

describe('shared revocations', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  let revocations: DurableRevocations;
  const lines: string[] = [];
  const log = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  let seconds: number;
  let next = 0;

  const aToken = (changes: Partial<TokenIdentity> = {}): TokenIdentity => {
    next += 1;
    const own = { token_id: `t-${next}`, session_id: `s-${next}`, subject: `u-${next}` };
    return { issuer: ISSUER, ...own, issued_at: seconds - 10, expires_at: seconds + 290, ...changes };
  };

  before(async () => {
    database = await testDatabase();
    connections = openPool(database.connection_string, 4);
    revocations = await createRevocations({ pool: connections.pool, log, poll_ms: 20 });
  });
  after(async () => {
    await revocations?.close();
    await connections?.close();
    await database?.close();
  });
  beforeEach(() => {
    // Not when the file is loaded: on a busy machine that may be minutes ago.
    seconds = Math.floor(Date.now() / 1000);
    lines.length = 0;
  });

  const open = async (
    { values, double, state }: ReturnType<typeof createStateDouble>,
    options: Partial<SharedRevocationsOptions> = {},
  ) => {
    const shared = createSharedRevocations({ revocations, state, log, suspend_ms: 20, ...options });
    if (!double.away && !double.mute)
      await eventually('the state store has it', () => values.has('bud-logout:complete'));
    return shared;
  };

  const sharedKey = (kind: string, id: string | null) => `bud-logout:${ISSUER}#${kind}:${id}`;

  it('put what is revoked where other services see it, for as long as it matters', async () => {
    const store = createStateDouble();
    const shared = await open(store);
    const token = aToken();
    await shared.revoke(token);
    const put = store.values.get(sharedKey('token', token.token_id));
    expect(JSON.parse(put?.value ?? '')).to.deep.equal({ expires_at: token.expires_at, issued_until: null });
    expect(put?.ttl_seconds).to.be.within(290, 360);
    expect(store.values.has(sharedKey('session', token.session_id))).to.equal(true);
    expect(await shared.isRevoked(token)).to.equal(true);
    await shared.close();
  });

  it('take the word of another service, and keep it in Postgres even where the store forgets it', async () => {
    const store = createStateDouble();
    const shared = await open(store);
    const token = aToken();
    const value = JSON.stringify({ expires_at: token.expires_at, issued_until: null });
    store.values.set(sharedKey('token', token.token_id), { value, ttl_seconds: 300 });
    expect(await shared.isRevoked(token)).to.equal(true);
    store.values.clear();
    expect(revocations.isRevoked(token)).to.equal(true);
    const other = await createRevocations({ pool: connections.pool, log });
    expect(other.isRevoked(token)).to.equal(true);
    await other.close();
    await shared.close();
  });

  it('take a session or a subject that another service ended, up to the time it says', async () => {
    const store = createStateDouble();
    const shared = await open(store);
    const [session, subject] = [aToken(), aToken()];
    const value = JSON.stringify({ expires_at: seconds + 300, issued_until: seconds });
    store.values.set(sharedKey('session', session.session_id), { value, ttl_seconds: 300 });
    store.values.set(sharedKey('subject', subject.subject), { value, ttl_seconds: 300 });
    expect(await shared.isRevoked(session)).to.equal(true);
    expect(await shared.isRevoked(subject)).to.equal(true);
    expect(await shared.isRevoked({ ...subject, token_id: 'later', issued_at: seconds + 1 })).to.equal(false);
    await shared.close();
  });

  it('refuse a token for a value that cannot be parsed, since it means a revocation', async () => {
    const store = createStateDouble();
    const shared = await open(store);
    const token = aToken();
    store.values.set(sharedKey('token', token.token_id), { value: 'logged out', ttl_seconds: 300 });
    expect(await shared.isRevoked(token)).to.equal(true);
    await shared.close();
  });

  it('ask once at the first sight of a token, and again after a while', async () => {
    let time = Date.now();
    const store = createStateDouble();
    const shared = await open(store, { now: () => time });
    const token = aToken();
    store.double.gets = 0;
    await Promise.all([1, 2, 3].map(() => shared.isRevoked(token)));
    expect(await shared.isRevoked(token)).to.equal(false);
    expect(store.double.gets).to.equal(3);
    store.values.set(sharedKey('token', token.token_id), { value: '{}', ttl_seconds: 300 });
    expect(await shared.isRevoked(token)).to.equal(false);
    time += 10_001;
    expect(await shared.isRevoked(token)).to.equal(true);
    await shared.close();
  });

  it('use Postgres only while the store is unavailable, log it once, and restore what the store missed', async () => {
    const store = createStateDouble();
    const shared = await open(store, { reconcile_ms: 20 });
    store.double.away = true;
    const [revoked, good] = [aToken(), aToken()];
    await shared.revoke(revoked);
    expect(await shared.isRevoked(revoked)).to.equal(true);
    expect(await shared.isRevoked(good)).to.equal(false);
    expect(await failureOf(shared.check())).to.include({ kind: 'unavailable' });
    await shared.revoke(aToken());
    const warnings = lines.filter((line) => line.includes('"warn"'));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain('DAPR_STATE_STORE_NAME');
    store.double.away = false;
    await eventually('the state store has it', () => store.values.has(sharedKey('token', revoked.token_id)));
    await shared.check();
    await shared.close();
  });

  it('do not keep requests waiting for a store that does not answer', async () => {
    const store = createStateDouble();
    const time = Date.now();
    const shared = await open(store, { timeout_ms: 500, suspend_ms: 60_000, now: () => time });
    store.double.mute = true;
    expect(await shared.isRevoked(aToken())).to.equal(false);
    // Left alone from here on: only the first had to wait.
    store.double.gets = 0;
    for (let each = 0; each < 20; each += 1) expect(await shared.isRevoked(aToken())).to.equal(false);
    expect(store.double.gets).to.equal(0);
    store.double.wakeUp.resolve();
    await shared.close();
  });

  it('put everything back into a store that has lost its data', async () => {
    const store = createStateDouble();
    const shared = await open(store, { reconcile_ms: 20 });
    const token = aToken();
    await shared.revoke(token);
    store.values.clear();
    await eventually('the state store has it', () => store.values.has(sharedKey('token', token.token_id)));
    await eventually('the state store has it', () => store.values.has('bud-logout:complete'));
    expect(lines.filter((line) => line.includes('lost its data'))).to.have.length(1);
    await shared.close();
  });

  it('put at their start what a process before them could not', async () => {
    const token = aToken();
    await revocations.revoke(token);
    const store = createStateDouble();
    store.values.set('bud-logout:complete', { value: 'long ago', ttl_seconds: 1 });
    const shared = await open(store);
    await eventually('the state store has it', () => store.values.has(sharedKey('session', token.session_id)));
    await shared.close();
  });

  /** The first put waits at the gate. */
  const createGated = ({ values, state }: ReturnType<typeof createStateDouble>) => {
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const gated = { puts: 0, refused: new Set<string>() };
    const put: SharedState['put'] = async (key, value, ttl) => {
      gated.puts += 1;
      if (gated.refused.has(key)) throw new Rejected('unavailable', 'shared-state-unavailable', 'It is away.');
      if (gated.puts === 1) {
        reached.resolve();
        await gate.promise;
      }
      await state.put(key, value, ttl);
    };
    return { gated, values, state: { ...state, put }, reached: reached.promise, release: gate.resolve };
  };

  it('put later what could not be put while they were putting back the others', async () => {
    await revocations.revoke(aToken());
    const { gated, values, state, reached, release } = createGated(createStateDouble());
    const options = { revocations, state, log, suspend_ms: 20, reconcile_ms: 20 };
    const shared = createSharedRevocations(options);
    await reached;
    const late = aToken();
    const key = sharedKey('token', late.token_id);
    gated.refused.add(key);
    await shared.revoke(late);
    gated.refused.clear();
    release();
    await eventually('the state store has it', () => values.has(key));
    await shared.close();
  });

  it('do not put all the others when they are closed', async () => {
    for (let each = 0; each < 3; each += 1) await revocations.revoke(aToken());
    const { gated, values, state, reached, release } = createGated(createStateDouble());
    const shared = createSharedRevocations({ revocations, state, log });
    await reached;
    const closing = shared.close();
    release();
    await closing;
    expect(gated.puts).to.equal(1);
    expect(values.has('bud-logout:complete')).to.equal(false);
  });

  it('share what the identity provider ended', async () => {
    const store = createStateDouble();
    const shared = await open(store);
    const ended = { issuer: ISSUER, session_id: 's-ended', subject: 'ada', ended_at: seconds };
    const message = { message_id: 'm-1', message_expires_at: seconds + 120 };
    expect(await shared.end({ ...ended, ...message })).to.equal(true);
    expect(store.values.has(sharedKey('session', 's-ended'))).to.equal(true);
    expect(await shared.end({ ...ended, ...message })).to.equal(false);
    await shared.close();
  });

  it('still refuse where the word of another service cannot be kept', async () => {
    const store = createStateDouble();
    const refusing: DurableRevocations = {
      ...revocations,
      isRevoked: () => false,
      record: async (_entries: readonly Revocation[]) => {
        throw new Error('Postgres is away');
      },
    };
    const shared = await open(store, { revocations: refusing });
    const token = aToken();
    store.values.set(sharedKey('token', token.token_id), { value: '{}', ttl_seconds: 300 });
    expect(await shared.isRevoked(token)).to.equal(true);
    await shared.close();
  });
});
