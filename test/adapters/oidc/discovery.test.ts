import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { discoverRealm } from '../../../src/adapters/oidc/discovery.ts';
import { SystemUnusable } from '../../../src/errors.ts';
import { aCertificate } from '../../certificate.ts';
import { failureOf } from '../../failure-of.ts';

const CLIENT = { client_id: 'budapp', client_secret: 'the-secret' };

describe('discovery of a realm', () => {
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const serve = async (listener: RequestListener) =>
    `http://127.0.0.1:${await listen(createServer(listener))}/realms/bud`;

  const metadataOf = (issuer: string) => ({
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/certs`,
    introspection_endpoint: `${issuer}/introspect`,
  });

  const unusable = async (promise: Promise<unknown>, transient: boolean): Promise<string> => {
    const failure = await failureOf(promise);
    expect(failure, String(failure)).to.be.instanceOf(SystemUnusable).and.include({ system: 'Keycloak', transient });
    return String(failure);
  };

  for (const [expired, words] of [
    [true, 'has expired'],
    [false, 'NODE_EXTRA_CA_CERTS'],
  ] as const) {
    it(`says that a certificate ${expired ? 'has expired' : 'is not trusted'}`, async () => {
      const { certificate, key } = await aCertificate({ expired });
      const port = await listen(createTlsServer({ cert: certificate, key }));
      const realm = { name: 'bud', issuer_url: `https://127.0.0.1:${port}/realms/bud` };
      const message = await unusable(discoverRealm(realm, CLIENT), false);
      expect(message).to.contain('certificate').and.contain(words).and.contain('KEYCLOAK_URL');
    });
  }

  for (const [status, transient] of [
    [503, true],
    [500, true],
    [429, true],
    [403, false],
  ] as const) {
    it(`${transient ? 'hopes that an answer of' : 'takes no comfort in waiting after'} ${status}`, async () => {
      const issuer_url = await serve((_request, response) => response.writeHead(status).end());
      await unusable(discoverRealm({ name: 'bud', issuer_url }, CLIENT), transient);
    });
  }

  it('refuses what is no OpenID provider', async () => {
    const issuer_url = await serve((_request, response) => response.end('<h1>Welcome to nginx!</h1>'));
    const message = await unusable(discoverRealm({ name: 'bud', issuer_url }, CLIENT), false);
    expect(message).to.contain('not an OpenID provider').and.contain('KEYCLOAK_URL');
  });

  it('reaches a realm under an address of our own, also where it calls itself by its public one', async () => {
    const issuer = 'https://login.example.com/realms/bud';
    const asked: string[] = [];
    const reached_at = await serve((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
      response.end(JSON.stringify(metadataOf(issuer)));
    });
    const realm = await discoverRealm({ name: 'bud', issuer_url: issuer, reached_at }, CLIENT);
    expect(realm.issuer).to.equal(issuer);
    await realm.fetch(realm.jwks_uri.href, {});
    expect(asked).to.deep.equal([
      'GET /realms/bud/.well-known/openid-configuration',
      `POST /realms/bud/introspect Basic ${btoa('budapp:the-secret')}`,
      'GET /realms/bud/certs',
    ]);
  });

  it('takes plain http to another machine only where it is told to', async () => {
    const realm = { name: 'bud', issuer_url: 'http://keycloak.invalid:8080/realms/bud' };
    expect(await unusable(discoverRealm(realm, CLIENT), false)).to.contain('KEYCLOAK_ALLOW_HTTP');
    expect(await unusable(discoverRealm(realm, { ...CLIENT, allow_http: true }), true)).to.contain('does not answer');
  });
});
