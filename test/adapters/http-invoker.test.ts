import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createHttpInvoker } from '../../src/adapters/http-invoker.ts';
import { ServiceFailure, type ServiceRequest } from '../../src/ports.ts';

const aRequest = (more: Partial<ServiceRequest> = {}): ServiceRequest => ({
  app_id: 'budsim',
  method: 'GET',
  path: 'simulator/recommendations',
  timeout_ms: 5_000,
  ...more,
});

describe('http invoker', () => {
  let server: Server;
  let url: string;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    server = createServer((request, response) => handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const invoke = (more: Partial<ServiceRequest> = {}) =>
    createHttpInvoker({ urls: { budsim: `${url}/` } }).invoke(aRequest(more));
  const failureOf = async (work: Promise<unknown>): Promise<ServiceFailure> => {
    const error = await work.catch((caught: unknown) => caught);
    if (error instanceof ServiceFailure) return error;
    throw new Error(`no ServiceFailure: ${error}`);
  };
  const bodyOf = async (request: IncomingMessage) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const answering = (status: number, text: string) => {
    handle = (_request, response) => response.writeHead(status).end(text);
  };

  it('sends method, path, query, JSON and traceparent, and answers the parsed JSON', async () => {
    handle = async (request, response) => {
      const { method, url: path, headers } = request;
      const seen = {
        method,
        path,
        type: headers['content-type'],
        trace: headers.traceparent,
        body: await bodyOf(request),
      };
      response.end(JSON.stringify(seen));
    };
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(await invoke({ method: 'DELETE', query: { a: 'x y&z' }, body: { n: 1 }, traceparent })).to.deep.equal({
      method: 'DELETE',
      path: '/simulator/recommendations?a=x+y%26z',
      type: 'application/json',
      trace: traceparent,
      body: '{"n":1}',
    });
  });

  it('sends a form with its file', async () => {
    handle = async (request, response) => response.end(JSON.stringify(await bodyOf(request)));
    const multipart = {
      text: { value: '{"a":1}' },
      configuration: { value: 'apiVersion: v1', file_name: 'kube.yaml' },
    };
    const body = String(await invoke({ method: 'POST', multipart }));
    expect(body).to.match(/name="text"\r\n\r\n\{"a":1\}/);
    expect(body).to.match(/name="configuration"; filename="kube.yaml"[\s\S]*apiVersion: v1/);
  });

  for (const [status, retryable] of [
    [400, false],
    [404, false],
    [409, false],
    [408, true],
    [429, true],
    [500, true],
    [503, true],
  ] as const) {
    it(`takes ${status} for a failure that ${retryable ? 'may pass' : 'stays'}`, async () => {
      answering(status, '{"error":"because"}');
      const failure = await failureOf(invoke());
      expect(failure).to.include({ status, retryable });
      expect(failure.message).to.contain('because');
    });
  }

  it('takes an answer that is not JSON for a failure that may pass', async () => {
    answering(200, '<html>');
    expect(await failureOf(invoke())).to.include({ status: 200, retryable: true });
  });

  it('answers null where nothing came back', async () => {
    answering(200, '');
    expect(await invoke()).to.equal(null);
  });

  it('gives up on an answer without end', async () => {
    handle = (_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1_000_000, 0x20)));
      };
      response.on('drain', more);
      more();
    };
    const failure = await failureOf(invoke());
    expect(failure).to.include({ retryable: false });
    expect(failure.message).to.contain('more than');
  });

  it('gives up on a service that does not answer in time, also in the middle of the answer', async () => {
    handle = () => {};
    expect(await failureOf(invoke({ timeout_ms: 50 }))).to.include({ status: null, retryable: true });
    handle = (_request, response) => response.writeHead(200).write('{"a":');
    const failure = await failureOf(invoke({ timeout_ms: 50 }));
    expect(failure.message).to.contain('within 50 ms');
  });

  it('may be tried again where there is no connection', async () => {
    const invoker = createHttpInvoker({ urls: { budsim: 'http://127.0.0.1:1' } });
    expect(await failureOf(invoker.invoke(aRequest()))).to.include({ status: null, retryable: true });
  });

  it('refuses a service that has no URL', async () => {
    const failure = await failureOf(createHttpInvoker({ urls: {} }).invoke(aRequest({ app_id: 'constructor' })));
    expect(failure.retryable).to.equal(false);
  });
});
