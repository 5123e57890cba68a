import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { z } from 'zod';

/** A request whose second performance would be refused. */
export interface Unrepeatable {
  /** What is asked for, with the secret that is used up by it: `refresh` and the token. */
  kind: string;
  secret: string;
}

export interface OnceOptions<T> extends Unrepeatable {
  /** For how long who asks again gets the same answer. */
  keep_seconds: number;
  schema: z.ZodType<T>;
  /** The request that the answer can be used for. */
  leadsTo?: (answer: T) => Unrepeatable;
}

/** How long a request may run; after that it counts as ended by a crash. */
const LOCK_SECONDS = 30;
const WAIT_MS = 10_000;
const POLL_MS = 40;
const SWEEP_EVERY_MS = 60_000;

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const idOf = ({ kind, secret }: Unrepeatable): string =>
  createHash('sha256').update(`${kind}\n${secret}`).digest('base64url');

/** Separated from the id by its derivation: who reads the table cannot open the answers. */
const keyOf = ({ kind, secret }: Unrepeatable): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, kind, 'budapp repeated answer', 32));

const close = (request: Unrepeatable, text: string): string => {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keyOf(request), iv);
  const sealed = [cipher.update(text, 'utf8'), cipher.final()];
  return Buffer.concat([iv, cipher.getAuthTag(), ...sealed]).toString('base64url');
};

const open = (request: Unrepeatable, sealed: string): string => {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv(CIPHER, keyOf(request), bytes.subarray(0, IV_BYTES));
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
};

const claim = `
  insert into repeated_answers as known (id, locked_until, expires_at)
  values ($1, now() + make_interval(secs => ${LOCK_SECONDS}), now() + make_interval(secs => ${LOCK_SECONDS} + $2))
  on conflict (id) do update
    set answer = null, leads_to = null, locked_until = excluded.locked_until, expires_at = excluded.expires_at
    where known.expires_at <= now() or (known.answer is null and known.locked_until <= now())
  returning locked_until::text, xmax <> 0 as repeated`;
const find = 'select answer from repeated_answers where id = $1 and expires_at > now()';
const keep = `
  update repeated_answers set answer = $3, leads_to = $4, expires_at = now() + make_interval(secs => $5)
  where id = $1 and locked_until = $2::timestamptz`;
const free = 'delete from repeated_answers where id = $1 and locked_until = $2::timestamptz';
const forget = 'delete from repeated_answers where id = $1 or leads_to = $1';
const sweep = 'delete from repeated_answers where expires_at < now()';

/** The first of two requests takes too long for the second one to wait for it. */
export class RequestInProgress extends Error {
  constructor() {
    super('the same request is still running');
    this.name = 'RequestInProgress';
  }
}

/**
 * Performs what can be performed once only, and gives its answer to those who ask again within a time, whichever process
 * they ask. Two requests at once count as one.
 */
export const createRepeatedAnswers = ({ pool }: { pool: Pool }) => {
  let sweptAt = 0;
  const sweepNowAndThen = async (): Promise<void> => {
    if (performance.now() - sweptAt < SWEEP_EVERY_MS && sweptAt > 0) return;
    sweptAt = performance.now();
    await pool.query(sweep);
  };

  const begin = async (id: string, keep_seconds: number) => {
    const { rows } = await pool.query<{ locked_until: string; repeated: boolean }>(claim, [id, keep_seconds]);
    return rows[0] ?? null;
  };

  const perform = async <T>(
    { keep_seconds, schema, leadsTo, ...request }: OnceOptions<T>,
    lock: { locked_until: string; repeated: boolean },
    run: (repeated: boolean) => Promise<T>,
  ): Promise<T> => {
    const held = [idOf(request), lock.locked_until];
    const answer = await run(lock.repeated).catch(async (error: unknown) => {
      // If this fails, the lock expires by itself.
      await pool.query(free, held).catch(() => undefined);
      throw error;
    });
    const next = leadsTo ? idOf(leadsTo(answer)) : null;
    const sealed = close(request, JSON.stringify(schema.parse(answer)));
    // Who asks again after a failure of this gets what a repeat gets without it.
    await pool.query(keep, [...held, sealed, next, keep_seconds]).catch(() => undefined);
    return answer;
  };

  return {
    /**
     * `run` gets true where an earlier performance may have ended without an answer. What it throws is thrown, and not
     * kept. Throws `RequestInProgress` where the first request takes too long.
     */
    async once<T>(options: OnceOptions<T>, run: (repeated: boolean) => Promise<T>): Promise<T> {
      const id = idOf(options);
      await sweepNowAndThen();
      for (const end = performance.now() + WAIT_MS; performance.now() < end; await sleep(POLL_MS)) {
        const lock = await begin(id, options.keep_seconds);
        if (lock) return perform(options, lock, run);
        const { rows } = await pool.query<{ answer: string | null }>(find, [id]);
        const sealed = rows[0]?.answer ?? null;
        if (sealed !== null) return options.schema.parse(JSON.parse(open(options, sealed)));
      }
      throw new RequestInProgress();
    },
    /** Forgets the answer to a request, and the answer that led to it. */
    async forget(request: Unrepeatable): Promise<void> {
      await pool.query(forget, [idOf(request)]);
    },
  };
};

export type RepeatedAnswers = ReturnType<typeof createRepeatedAnswers>;
