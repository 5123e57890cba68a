import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { WebSocket } from 'ws';
import { createApp } from '../../src/api/app.ts';
import { publicRoute } from '../../src/api/public-route.ts';
import { Rejected } from '../../src/errors.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { eventually } from '../eventually.ts';
import { SERVICE_TOKEN, startApi } from './running-api.ts';

const refused = () => Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
const CLIENTS = 20;

describe('the log of an API whose database is away', () => {
  it('logs the outage once, and not once per request', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const route = publicRoute({
      ...{ method: 'GET', path: '/away', operation_id: 'away', summary: 'Away', tag: 'operations' },
      answers: { ok: { description: 'never', schema: null } },
      handle: refused,
    });
    const callers = { fromAuthorization: () => Promise.reject(new Error('nobody asks who calls')) };
    const ownWrites = { refresh: async () => undefined, upTo: () => null };
    const server = createApp({ logger, metrics: new Registry() }, { routes: [route], callers, ownWrites }).listen(
      0,
      '127.0.0.1',
    );
    try {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      for (let count = 0; count < CLIENTS; count += 1) {
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

  it('logs it once, and not once per client of the live stream', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const api = await startApi({ logger });
    const sockets: WebSocket[] = [];
    const connect = async (token: string): Promise<string> => {
      const headers = { authorization: `Bearer ${token}` };
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=start`, { headers });
      sockets.push(socket);
      socket.on('error', () => undefined);
      const turnedAway = once(socket, 'unexpected-response').then(([, { statusCode, headers }]) => {
        socket.terminate();
        return `${statusCode} ${headers['retry-after']}`;
      });
      const closed = once(socket, 'close').then(([code]) => `closed ${code}`);
      return Promise.race([turnedAway, closed, once(socket, 'message').then(() => 'a frame')]);
    };
    const connectMany = async (token: string) =>
      new Set(await Promise.all(Array.from({ length: CLIENTS }, () => connect(token))));
    const linesWith = (words: string) => lines.filter((line) => line.includes(words)).length;
    try {
      await api.admin.get('/auth/me');
      const { log, readModels } = api.services;
      const { subscribe } = log;
      log.subscribe = () => {
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      };
      const connected = connectMany(api.admin.token);
      await eventually('the streams wait', () => linesWith('live streams wait') > 0);
      log.subscribe = subscribe;
      expect([...(await connected)]).to.deep.equal(['a frame']);
      expect(linesWith('live streams wait')).to.be.within(1, CLIENTS / 4);
      for (const socket of sockets) socket.close();

      readModels.findAccess = refused;
      const newcomer = api.as({ email: 'new@example.org', role: 'viewer' });
      expect([...(await connectMany(newcomer.token))]).to.deep.equal(['503 5']);
      expect(linesWith('live streams cannot be opened')).to.be.within(1, CLIENTS / 4);
      const stream = (accept: string) =>
        api.request('GET', '/stream/events', { headers: { accept, authorization: `Bearer ${newcomer.token}` } });
      expect((await stream('application/json')).status).to.equal(503);
      const { status, body } = await stream('text/event-stream');
      expect([status, body]).to.deep.equal([200, 'retry: 2000\n\nevent: end\ndata: {"code":"unavailable"}\n\n']);
      expect(lines.filter((line) => JSON.parse(line).level >= 50)).to.deep.equal([]);
    } finally {
      await api.close();
    }
  });

  it('logs it once, and not once per message that is delivered again', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const api = await startApi({ logger });
    try {
      api.services.log.readStream = () => {
        throw new Rejected('unavailable', 'log-unavailable', 'The log cannot be reached.');
      };
      const payload = { category: 'internal', type: 'deploy_model', workflow_id: newId(WorkflowId), event: 'eta' };
      for (let count = 0; count < CLIENTS; count += 1) {
        const { body } = await api.request('POST', '/notifications', {
          body: JSON.stringify({ id: `message-${count}`, payload: { ...payload, content: { status: 'RUNNING' } } }),
          headers: { 'content-type': 'application/cloudevents+json', 'dapr-api-token': SERVICE_TOKEN },
        });
        expect(body).to.deep.equal({ status: 'RETRY' });
      }
      expect(lines.filter((line) => line.includes('delivers them again')).length).to.be.within(1, CLIENTS / 4);
    } finally {
      await api.close();
    }
  });
});
