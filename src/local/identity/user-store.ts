import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { Rejected, rejected } from '../../errors.ts';
import { hashOfNoPassword, hashPassword, passwordMatches, type ScryptCost } from './password-hash.ts';
import { passwordFaults } from './password-rules.ts';

const Role = z.enum(['admin', 'developer', 'viewer']);
const LocalUser = z.object({ id: z.string(), email: z.string(), name: z.string(), role: Role });
const StoredUser = LocalUser.extend({ password_hash: z.string() });

/** A user of the local provider; `id` is the `sub` of its tokens. */
export type LocalUser = z.output<typeof LocalUser>;

export interface NewLocalUser {
  email: string;
  password: string;
  name: string;
  role: LocalUser['role'];
}

export interface UserStore {
  /**
   * Throws `Rejected` `invalid` with code `weak-password` or `invalid-email`, `conflict` with code `email-taken`.
   */
  create(user: NewLocalUser): Promise<LocalUser>;
  find(id: string): LocalUser | null;
  findByEmail(email: string): LocalUser | null;
  setPassword(id: string, password: string): Promise<void>;
  /** The user whose password it is; null otherwise, after the same time whether or not the user exists. */
  authenticate(email: string, password: string): Promise<LocalUser | null>;
}

export const normalizedEmail = (email: string): string => email.trim().toLowerCase();

const refuseWeak = (password: string): void => {
  const faults = passwordFaults(password);
  if (faults.length === 0) return;
  throw new Rejected('invalid', 'weak-password', `The password ${faults.join(', ')}.`, {
    errors: faults.map((detail) => ({ pointer: '/password', detail })),
  });
};

// Local parts without a dot in the domain (admin@localhost) are fine here.
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,190}$/;

const refuseBadEmail = (email: string): void => {
  if (EMAIL.test(email)) return;
  const detail = 'must be an e-mail address';
  throw new Rejected('invalid', 'invalid-email', `The e-mail address ${detail}.`, {
    errors: [{ pointer: '/email', detail }],
  });
};

export const createUserStore = (database: DatabaseSync, password_cost?: ScryptCost): UserStore => {
  const insert = database.prepare(
    `insert into users (id, email, name, role, password_hash, created_at) values (?, ?, ?, ?, ?, ?)
     on conflict (email) do nothing`,
  );
  const byId = database.prepare('select id, email, name, role from users where id = ?');
  const byEmail = database.prepare('select id, email, name, role, password_hash from users where email = ?');
  const updatePassword = database.prepare('update users set password_hash = ? where id = ?');
  // What an unknown user's password is compared with, so that the answer takes as long as for a known one.
  const decoy = hashOfNoPassword(password_cost);

  const findStored = (email: string) => {
    const row = byEmail.get(normalizedEmail(email));
    return row === undefined ? null : StoredUser.parse(row);
  };

  return {
    async create({ email, password, name, role }) {
      refuseBadEmail(normalizedEmail(email));
      refuseWeak(password);
      const user: LocalUser = { id: randomUUID(), email: normalizedEmail(email), name, role };
      const hash = await hashPassword(password, password_cost);
      const { changes } = insert.run(user.id, user.email, name, role, hash, new Date().toISOString());
      if (changes === 0) throw rejected('email-taken', 'There is already a user with this e-mail address.');
      return user;
    },
    find(id) {
      const row = byId.get(id);
      return row === undefined ? null : LocalUser.parse(row);
    },
    findByEmail(email) {
      const row = byEmail.get(normalizedEmail(email));
      return row === undefined ? null : LocalUser.parse(row);
    },
    async setPassword(id, password) {
      refuseWeak(password);
      updatePassword.run(await hashPassword(password, password_cost), id);
    },
    async authenticate(email, password) {
      const stored = findStored(email);
      const matches = await passwordMatches(password, stored?.password_hash ?? decoy);
      return stored !== null && matches ? LocalUser.parse(stored) : null;
    },
  };
};
