import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { Pool } from 'pg';
import { rejected } from '../../errors.ts';
import { isCompressed, Sealed, subjectOf } from '../../events/sealed.ts';
import { SealedUnreadable, type Vault } from '../../ports/vault.ts';
import { decrypt, encrypt, KEY_BYTES, unwrapKey, wrapKey } from './sealing.ts';

export interface VaultOptions {
  pool: Pool;
  /** The master key, 32 bytes. */
  master_key: Buffer;
  /** Milliseconds for which an unwrapped key is cached, and so the delay until other processes notice an erasure. */
  cache_ttl_ms?: number;
  /** The current time in milliseconds since 1970. */
  now?: () => number;
}

export interface PostgresVault extends Vault {
  /** Throws where the stored keys were wrapped by another master key; called at the start. */
  checkMasterKey(): Promise<void>;
}

const CACHE_TTL_MS = 5_000;
const CACHED_KEYS = 10_000;
const CHECK_SUBJECT = 'master-key-check';

const selectKey = 'select wrapped_key from subject_keys where subject = $1';
const insertKey = 'insert into subject_keys (subject, wrapped_key) values ($1, $2) on conflict (subject) do nothing';
const eraseKey = `
  insert into subject_keys (subject, wrapped_key, erased_at) values ($1, null, now())
  on conflict (subject) do update set wrapped_key = null, erased_at = coalesce(subject_keys.erased_at, now())`;

/** A key, or `erased`, which is final. */
type SubjectKey = Buffer | 'erased';

const subjectErased = (subject: string) =>
  rejected('subject-erased', `The personal data of ${subject} was erased; nothing can be sealed under it any more.`);

/**
 * A longer text is compressed: sealed, it is larger by a third, and an append of EventStoreDB takes 1 MiB. A shorter one is
 * not, so that the release before this one can open it.
 */
const COMPRESSED_FROM_BYTES = 640 * 1024;
/** Of a text that is opened: far more than any command takes. */
const MAX_OPENED_BYTES = 16 * 1024 * 1024;

const seal = (key: Buffer, subject: string, text: string): Sealed => {
  const clear = Buffer.from(text, 'utf8');
  const compressed = clear.length > COMPRESSED_FROM_BYTES;
  const { iv, tag, data } = encrypt(key, compressed ? deflateRawSync(clear) : clear, subject);
  const parts = [iv, tag, data].map((part) => part.toString('base64url'));
  return Sealed.parse([compressed ? 'sealed:2' : 'sealed:1', subject, ...parts].join(':'));
};

const unseal = (key: Buffer, sealed: Sealed): string => {
  const [, , subject = '', iv = '', tag = '', data = ''] = sealed.split(':');
  const parts = {
    iv: Buffer.from(iv, 'base64url'),
    tag: Buffer.from(tag, 'base64url'),
    data: Buffer.from(data, 'base64url'),
  };
  try {
    const clear = decrypt(key, parts, subject);
    const text = isCompressed(sealed) ? inflateRawSync(clear, { maxOutputLength: MAX_OPENED_BYTES }) : clear;
    return text.toString('utf8');
  } catch (error) {
    throw new SealedUnreadable(`a sealed text of ${subject} was changed after it was sealed`, { cause: error });
  }
};

/**
 * Seals with one key per subject, stored in `subject_keys` and wrapped by the master key. `erase` takes effect at once
 * in this process; another process may still open and seal with its cached key for at most `cache_ttl_ms` (5 seconds).
 * An erasure is final: `sealer` then throws `Rejected` `conflict` with code `subject-erased`.
 */
export const createVault = (options: VaultOptions): PostgresVault => {
  const { pool, master_key, cache_ttl_ms = CACHE_TTL_MS, now = Date.now } = options;
  if (master_key.length !== KEY_BYTES)
    throw new Error(`MASTER_KEY must be ${KEY_BYTES} bytes, not ${master_key.length}`);
  const cache = new LRUCache<string, { key: SubjectKey; until: number }>({ max: CACHED_KEYS });

  const unwrap = (wrapped: Buffer, subject: string): Buffer => {
    try {
      return unwrapKey(master_key, wrapped, subject);
    } catch (error) {
      throw new Error(`the key of ${subject} cannot be unwrapped: MASTER_KEY is not the one that it was made with`, {
        cause: error,
      });
    }
  };

  /** Keeps an erasure in the cache: a read that began before it must not overwrite it with the key. */
  const remember = (subject: string, key: SubjectKey): SubjectKey => {
    const lasting = cache.get(subject)?.key === 'erased' ? 'erased' : key;
    cache.set(subject, { key: lasting, until: now() + cache_ttl_ms });
    return lasting;
  };

  const findKey = async (subject: string): Promise<SubjectKey | null> => {
    const cached = cache.get(subject);
    if (cached !== undefined && cached.until > now()) return cached.key;
    const { rows } = await pool.query<{ wrapped_key: Buffer | null }>(selectKey, [subject]);
    const [row] = rows;
    if (row === undefined) return null;
    const key = row.wrapped_key === null ? 'erased' : unwrap(row.wrapped_key, subject);
    return remember(subject, key);
  };

  /** Creates the subject's key. Where two processes do so at once, the first insert wins and both use its key. */
  const createKey = async (subject: string): Promise<SubjectKey> => {
    await pool.query(insertKey, [subject, wrapKey(master_key, randomBytes(KEY_BYTES), subject)]);
    const key = await findKey(subject);
    if (key === null) throw new Error(`the key of ${subject} was removed by hand while it was being created`);
    return key;
  };

  const sealer = async (subject: string): Promise<(text: string) => Sealed> => {
    if (subject === '' || subject.includes(':')) throw new Error(`"${subject}" cannot be the subject of a key`);
    const key = (await findKey(subject)) ?? (await createKey(subject));
    if (key === 'erased') throw subjectErased(subject);
    return (text) => seal(key, subject, text);
  };

  return {
    sealer,
    async open(sealed) {
      const { data: parsed } = Sealed.safeParse(sealed);
      if (parsed === undefined) throw new SealedUnreadable('a text begins as a sealed one does, and is none');
      const subject = subjectOf(parsed);
      const key = await findKey(subject);
      // No row: the keys were restored from an older backup, or the text is from another installation.
      if (key === null) throw new SealedUnreadable(`the key of ${subject}, which a sealed text needs, does not exist`);
      return key === 'erased' ? null : unseal(key, parsed);
    },
    async erase(subject) {
      await pool.query(eraseKey, [subject]);
      remember(subject, 'erased');
    },
    async checkMasterKey() {
      await sealer(CHECK_SUBJECT);
    },
  };
};
