import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ServiceFailure, type ServiceInvoker, type ServiceRequest } from '../../src/ports/service-invoker.ts';

export const aRequest = (more: Partial<ServiceRequest> = {}): ServiceRequest => ({
  app_id: 'budsim',
  method: 'GET',
  path: 'simulator/recommendations',
  timeout_ms: 5_000,
  ...more,
});

export const serviceFailureOf = async (work: Promise<unknown>): Promise<ServiceFailure> => {
  const error = await work.catch((caught: unknown) => caught);
  if (error instanceof ServiceFailure) return error;
  throw new Error(`no ServiceFailure: ${error}`);
};

export const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** A service that answers as the test says, on a port of its own or the one given. */
export const startService = async (port = 0) => {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end();
  const server: Server = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    handleWith(next: typeof handle) {
      handle = next;
    },
    answerWith(status: number, text: string) {
      handle = (_request, response) => response.writeHead(status).end(text);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
export type Service = Awaited<ReturnType<typeof startService>>;

export interface OpenedInvoker {
  invoker: ServiceInvoker;
  close(): Promise<void>;
}

/** What every way of calling a service must do. `open` brings an invoker that reaches the service as `budsim`. */
export const describeInvoker = (name: string, open: (service: Service) => Promise<OpenedInvoker>): void => {
  describe(`${name} (contract)`, () => {
    let service: Service;
    let opened: OpenedInvoker;

    before(async function () {
      this.timeout(300_000);
      service = await startService();
      opened = await open(service);
    });
    after(async () => {
      await opened?.close();
      await service.close();
    });
    const invoke = (more: Partial<ServiceRequest> = {}) => opened.invoker.invoke(aRequest(more));

    it('sends method, path, query, JSON and traceparent, and answers the parsed JSON', async () => {
      service.handleWith(async (request, response) => {
        const { method, url: path, headers } = request;
        const [type, trace] = [headers['content-type'], headers.traceparent];
        // Of the trace a sidecar keeps the id, and puts itself between.
        const seen = { method, path, type, trace: trace?.slice(0, 36), body: await bodyOf(request) };
        response.end(JSON.stringify(seen));
      });
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      expect(await invoke({ method: 'DELETE', query: { a: 'x y&z' }, body: { n: 1 }, traceparent })).to.deep.equal({
        method: 'DELETE',
        path: '/simulator/recommendations?a=x+y%26z',
        type: 'application/json',
        trace: traceparent.slice(0, 36),
        body: '{"n":1}',
      });
    });

    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      it(`can ${method}`, async () => {
        service.handleWith(async (request, response) => {
          response.end(JSON.stringify([request.method, await bodyOf(request)]));
        });
        const body = method === 'GET' ? {} : { body: { specversion: '1.0', id: 'a', type: 'b', source: 'c' } };
        const sent = method === 'GET' ? '' : JSON.stringify(body.body);
        expect(await invoke({ method, ...body })).to.deep.equal([method, sent]);
      });
    }

    it('sends a form with its file', async () => {
      service.handleWith(async (request, response) => response.end(JSON.stringify(await bodyOf(request))));
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
      [401, false],
      [404, false],
      [409, false],
      [408, true],
      [429, true],
      [500, true],
      [503, true],
    ] as const) {
      it(`takes ${status} for a failure that ${retryable ? 'may pass' : 'stays'}`, async () => {
        service.answerWith(status, '{"error":"because"}');
        const failure = await serviceFailureOf(invoke());
        expect(failure).to.include({ status, retryable });
        expect(failure.message).to.contain('because');
      });
    }

    it('follows no redirect, and takes it for a failure that stays', async () => {
      const asked: unknown[] = [];
      service.handleWith(({ url }, response) => {
        asked.push(url);
        response.writeHead(302, { location: '/elsewhere' }).end();
      });
      expect(await serviceFailureOf(invoke())).to.include({ status: 302, retryable: false });
      expect(asked).to.deep.equal(['/simulator/recommendations']);
    });

    it('takes an answer that is not JSON for a failure that may pass', async () => {
      service.answerWith(200, '<html>');
      expect(await serviceFailureOf(invoke())).to.include({ status: 200, retryable: true });
    });

    it('gives the replacement character in the place of what Postgres cannot store', async () => {
      service.handleWith((_request, response) => {
        response.end('{"metadata":{"na\\u0000me":"a\\u0000b\\ud83d"}}');
      });
      expect(await invoke()).to.deep.equal({ metadata: { 'na\ufffdme': 'a\ufffdb\ufffd' } });
    });

    it('answers null where nothing came back', async () => {
      service.answerWith(200, '');
      expect(await invoke()).to.equal(null);
    });

    it('gives up on an answer that is too long', async () => {
      service.answerWith(200, JSON.stringify('x'.repeat(20_000_000)));
      const failure = await serviceFailureOf(invoke());
      expect(failure).to.include({ retryable: false });
      expect(failure.message).to.contain('more than');
    });

    it('gives up on a service that does not answer in time, also in the middle of the answer', async () => {
      service.handleWith(() => {});
      expect(await serviceFailureOf(invoke({ timeout_ms: 50 }))).to.include({ status: null, retryable: true });
      service.handleWith((_request, response) => response.writeHead(200).write('{"a":'));
      const failure = await serviceFailureOf(invoke({ timeout_ms: 150 }));
      expect(failure.message).to.contain('within 150 ms');
    });
  });
};
