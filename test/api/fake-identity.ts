import { randomUUID } from 'node:crypto';
import { Rejected } from '../../src/errors.ts';
import { TenantId } from '../../src/events/ids.ts';
import type { Claims, Identity, Tokens } from '../../src/ports/identity.ts';

export const TENANT = TenantId.parse('01930000-0000-7000-8000-0000000000aa');
export const OTHER_TENANT = TenantId.parse('01930000-0000-7000-8000-0000000000bb');

const REALM = 'only';

export interface Person {
  email: string;
  role: NonNullable<Claims['role']>;
  tenant_id?: TenantId;
  /** Seconds; default an hour. */
  lifetime?: number;
  /** Seconds since 1970; default now. */
  issued_at?: number;
}

const unauthenticated = (code: string) => new Rejected('unauthenticated', code, `Refused: ${code}.`);

export type FakeIdentity = Identity & { issue(person: Person): Tokens };

/** Knows everybody's password ('right') and keeps its tokens in memory; an access token is its own logout token. */
export const createFakeIdentity = (): FakeIdentity => {
  const people = new Map<string, Person>();
  const tokens = new Map<string, Claims | 'revoked'>();

  const issue = (person: Person): Tokens => {
    people.set(person.email, person);
    const access_token = `access.${randomUUID()}`;
    const expires_in = person.lifetime ?? 3600;
    tokens.set(access_token, {
      subject: `subject-of-${person.email}`,
      tenant_id: person.tenant_id ?? TENANT,
      email: person.email,
      name: person.email.split('@')[0] ?? '',
      role: person.role,
      issued_at: person.issued_at ?? Math.floor(Date.now() / 1000),
      expires_at: Date.now() / 1000 + expires_in,
      token_id: randomUUID(),
    });
    return { access_token, refresh_token: `refresh.${person.email}`, token_type: 'Bearer', expires_in };
  };

  return {
    issue,
    async login({ email, password, realm }) {
      if (realm !== undefined && realm !== REALM) throw new Rejected('invalid', 'unknown-realm', 'No such realm.');
      if (password !== 'right') throw unauthenticated('invalid-credentials');
      return issue(people.get(email) ?? { email, role: 'developer' });
    },
    async refresh(refreshToken) {
      const person = people.get(refreshToken.replace('refresh.', ''));
      if (!person) throw unauthenticated('invalid-refresh-token');
      return issue(person);
    },
    async logout({ access_token }) {
      tokens.set(access_token, 'revoked');
    },
    async endSession(logoutToken) {
      if (!tokens.has(logoutToken)) throw new Rejected('malformed', 'invalid-logout-token', 'Not a logout token.');
      tokens.set(logoutToken, 'revoked');
    },
    async verify(token) {
      const claims = tokens.get(token);
      if (!claims) throw unauthenticated('invalid-token');
      if (claims === 'revoked') throw unauthenticated('revoked-token');
      if (claims.expires_at * 1000 < Date.now()) throw unauthenticated('expired-token');
      return claims;
    },
    async authorizationUrl({ redirect_uri }) {
      const url = `https://identity.example/authorize?redirect_uri=${encodeURIComponent(redirect_uri)}`;
      return { url, state: 'the-state', code_verifier: 'the-verifier', redirect_uri, realm: REALM };
    },
    async exchangeCode({ state, code_verifier, callback_url }) {
      const url = new URL(callback_url);
      const fits = state === 'the-state' && code_verifier === 'the-verifier' && url.searchParams.get('state') === state;
      if (!fits) throw unauthenticated('invalid-authorization-code');
      return issue({ email: 'browser@example.org', role: 'developer' });
    },
    async close() {},
  };
};
