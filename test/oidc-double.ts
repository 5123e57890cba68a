import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export interface DoubleUser {
  email: string;
  password: string;
  role: 'admin' | 'developer' | 'viewer';
  tenant_id?: string;
}

const CLIENT_ID = 'budapp';
const CLIENT_SECRET = 'the-secret-of-the-double';
const LIFETIME_SECONDS = 1800;

const formOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return new URLSearchParams(text);
};

/**
 * A test double of an OpenID provider that looks like one realm of Keycloak: password grant, tokens that say their tenant,
 * logout tokens. No real provider is as quick to set up with users of several tenants.
 */
export const startOidcDouble = async (users: readonly DoubleUser[], { realm = 'bud' } = {}) => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'double', alg: 'ES256', use: 'sig' };
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = `${url}/realms/${realm}`;

  const signed = (typ: string, claims: Record<string, unknown>, lifetime = LIFETIME_SECONDS) =>
    new SignJWT({ jti: randomUUID(), ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'double', typ })
      .setIssuer(issuer)
      .setAudience(CLIENT_ID)
      .setIssuedAt()
      .setExpirationTime(`${lifetime}s`)
      .sign(privateKey);

  const grant = async (form: URLSearchParams): Promise<[number, unknown]> => {
    const user = users.find(({ email }) => email === form.get('username'));
    if (!user || user.password !== form.get('password')) return [400, { error: 'invalid_grant' }];
    const { email, role, tenant_id } = user;
    const roles = { realm_access: { roles: [role] } };
    const claims = { sub: `subject-of-${email}`, sid: randomUUID(), typ: 'Bearer', email, name: email, tenant_id };
    const access_token = await signed('JWT', { ...claims, ...roles });
    return [200, { access_token, refresh_token: randomUUID(), token_type: 'Bearer', expires_in: LIFETIME_SECONDS }];
  };

  const answer = async (request: IncomingMessage): Promise<[number, unknown]> => {
    const path = request.url?.replace(`/realms/${realm}`, '');
    if (path === '/.well-known/openid-configuration') {
      const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
      return [200, { issuer, ...endpoints, jwks_uri: `${issuer}/certs` }];
    }
    if (path === '/certs') return [200, { keys: [jwk] }];
    return path === '/token' ? grant(await formOf(request)) : [404, {}];
  };

  server.on('request', (request, response) => {
    void answer(request).then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  });

  return {
    url,
    issuer,
    jwks_uri: new URL(`${issuer}/certs`),
    /** What makes BudApp use it. */
    settings: {
      KEYCLOAK_URL: url,
      KEYCLOAK_REALM: realm,
      KEYCLOAK_CLIENT_ID: CLIENT_ID,
      KEYCLOAK_CLIENT_SECRET: CLIENT_SECRET,
    },
    signed,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
