import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import pino from 'pino';
import { z } from 'zod';
import { type LocalService, readJson, serveLoopback } from '../../../src/local/service/loopback.ts';

describe('a local service', () => {
  let service: LocalService;
  before(async () => {
    service = await serveLoopback({
      log: pino({ level: 'silent' }),
      mount: (router) => {
        router.post('/name', async (ctx) => {
          ctx.body = await readJson(ctx, z.object({ name: z.string() }));
        });
      },
    });
  });
  after(() => service.close());

  it('refuses a body that is too large, and closes the connection that the rest would use', async () => {
    const sending = request(`${service.url}/name`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    sending.write(`{"name":"${'x'.repeat(1_000_000)}`);
    const [answer]: IncomingMessage[] = await once(sending, 'response');
    expect(answer?.statusCode).to.equal(413);
    expect(answer?.headers.connection).to.equal('close');
    expect(answer && JSON.parse(await text(answer))).to.deep.equal({ error: 'a body is at most 1000000 bytes' });
    sending.destroy();
  });

  it('keeps the connection of a refusal that has read everything', async () => {
    const post = (body: string) =>
      fetch(`${service.url}/name`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const refused = await post('{"name":1}');
    expect([refused.status, refused.headers.get('connection')]).to.deep.equal([422, 'keep-alive']);
    expect(await (await post('{"name":"Ada"}')).json()).to.deep.equal({ name: 'Ada' });
  });
});
