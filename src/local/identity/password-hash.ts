import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** Scrypt's own names: blocks of memory, their size, and rounds. */
export type ScryptCost = Readonly<Record<'N' | 'r' | 'p', number>>;

/** OWASP's smallest recommended scrypt setting with 32 MiB of memory. */
const COST: ScryptCost = { N: 2 ** 15, r: 8, p: 3 };

const derive = (password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, KEY_BYTES, { ...options, maxmem: 256 * 1024 * 1024 }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });

/** `scrypt:<N>:<r>:<p>:<salt>:<key>`, base64url: the cost is kept with the hash, so that it can be raised later. */
const written = ({ N, r, p }: ScryptCost, salt: Buffer, key: Buffer): string =>
  ['scrypt', N, r, p, salt.toString('base64url'), key.toString('base64url')].join(':');

export const hashPassword = async (password: string, cost: ScryptCost = COST): Promise<string> => {
  const salt = randomBytes(SALT_BYTES);
  return written(cost, salt, await derive(password, salt, cost));
};

/** A hash that no password has; comparing with it takes as long as with a real one, and making it takes no time. */
export const hashOfNoPassword = (cost: ScryptCost = COST): string =>
  written(cost, randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

export const passwordMatches = async (password: string, hash: string): Promise<boolean> => {
  const [scheme, N, r, p, salt, key] = hash.split(':');
  if (scheme !== 'scrypt' || salt === undefined || key === undefined) throw new Error('not a scrypt password hash');
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const derived = await derive(password, Buffer.from(salt, 'base64url'), cost);
  return timingSafeEqual(derived, Buffer.from(key, 'base64url'));
};
