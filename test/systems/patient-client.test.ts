import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createPatientClient } from './clients/patient-client.ts';

const PATHS = ['/a', '/b', '/c', '/d'];

describe('the patient client', () => {
  const server = createServer();
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('never logs in twice at the same moment, however many of its requests meet an expired token', async () => {
    let underWay = 0;
    let logins = 0;
    let expired = 0;
    const allExpired = Promise.withResolvers<void>();

    /** As Keycloak does: of two logins of one user at the same moment it refuses one. */
    const logIn = async (): Promise<[number, object]> => {
      if (underWay > 0) return [401, { code: 'invalid-credentials' }];
      underWay += 1;
      logins += 1;
      const access_token = `token-${logins}`;
      if (logins > 1) await allExpired.promise;
      underWay -= 1;
      return [200, { access_token }];
    };
    const answer = (
      path: string | undefined,
      token: string | undefined,
    ): [number, object] | Promise<[number, object]> => {
      if (path === '/auth/login') return logIn();
      if (token === undefined) return [401, { code: 'missing-token' }];
      if (token !== 'Bearer token-1') return [200, {}];
      expired += 1;
      if (expired === PATHS.length) allExpired.resolve();
      return [401, { code: 'expired-token' }];
    };
    server.on('request', async ({ url, headers }, response) => {
      const [status, body] = await answer(url, headers.authorization);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = createPatientClient({
      urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
      send: fetch,
    });
    await client.login({ email: 'admin@example.com', password: 'Correct-Horse-1' });

    const replies = await Promise.all(PATHS.map((path) => client.request('GET', path)));
    expect(replies.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
    expect([expired, logins]).to.deep.equal([PATHS.length, 2]);
  });
});
