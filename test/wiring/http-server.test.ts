import { expect } from 'chai';
import { openHttpServer } from '../../src/wiring/http-server.ts';

const HOUR_MS = 60 * 60_000;

describe('the HTTP server', () => {
  let opened: Awaited<ReturnType<typeof openHttpServer>>;

  beforeEach(async () => {
    opened = await openHttpServer({ host: '127.0.0.1', port: 0 });
    opened.serve((_request, response) => response.end('here'));
  });
  afterEach(() => opened.close());

  it('leaves a large artefact the time to come in over a slow line, but not the headers', () => {
    expect(opened.server.requestTimeout).to.be.at.least(HOUR_MS);
    expect(opened.server.headersTimeout).to.equal(60_000);
  });

  it('keeps an idle connection for longer than proxies do, which end theirs after a minute', async () => {
    const response = await fetch(`http://127.0.0.1:${opened.port}/`);
    expect(await response.text()).to.equal('here');
    expect(Number(/timeout=(\d+)/.exec(response.headers.get('keep-alive') ?? '')?.[1])).to.be.above(60);
  });

  for (const [code, status, headers] of [
    ['starting', 503, {}],
    ['headers-too-large', 431, { authorization: `Bearer ${'x'.repeat(20_000)}` }],
  ] as const) {
    it(`refuses in the words of all other refusals what nobody serves (${code})`, async () => {
      const mute = await openHttpServer({ host: '127.0.0.1', port: 0 });
      const response = await fetch(`http://127.0.0.1:${mute.port}/health`, { headers });
      const problem = await response.json();
      await mute.close();
      expect(response.status).to.equal(status);
      expect(response.headers.get('content-type')).to.equal('application/problem+json');
      expect(problem).to.include({ type: `urn:budapp:problem:${code}`, code, status });
      expect(problem)
        .to.have.property('request_id')
        .that.matches(/^[0-9a-f-]{36}$/)
        .and.equals(response.headers.get('x-request-id'));
    });
  }
});
