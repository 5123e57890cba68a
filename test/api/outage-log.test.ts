import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createApp } from '../../src/api/app.ts';
import { publicRoute } from '../../src/api/public-route.ts';

describe('the log of an API whose database is away', () => {
  it('tells the outage once and not once a request', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const route = publicRoute({
      ...{ method: 'GET', path: '/away', operation_id: 'away', summary: 'Away', tag: 'operations' },
      answers: { ok: { description: 'never', schema: null } },
      handle: async () => {
        throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      },
    });
    const callers = { fromAuthorization: () => Promise.reject(new Error('nobody asks who calls')) };
    const server = createApp({ logger, metrics: new Registry() }, { routes: [route], callers }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      for (let count = 0; count < 20; count += 1) {
        const response = await fetch(`http://127.0.0.1:${port}/away`);
        expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '5']);
      }
      expect(lines).to.have.length(1);
      expect(lines[0]).to.include('POSTGRES_HOST');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
