import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { BodyTooLarge, readBounded } from '../../src/resilience/bounded-body.ts';
import { failureOf } from '../failure-of.ts';

const LIMIT = 100_000;

describe('bounded body', () => {
  let server: Server | undefined;
  const serve = async (listener: RequestListener): Promise<number> => {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  /** Serves one request, and hands over what comes of reading it. */
  const reading = async (): Promise<{ port: number; outcome: Promise<unknown> }> => {
    const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
    const port = await serve((incoming, answer) => {
      readBounded(incoming, LIMIT)
        .then((body) => resolve(body.toString()), resolve)
        .finally(() => answer.writeHead(204, { connection: 'close' }).end());
    });
    return { port, outcome };
  };

  it('of a request is read up to the last byte allowed', async () => {
    const { port, outcome } = await reading();
    const text = 'é'.repeat(LIMIT / 2);
    await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: text });
    expect(await outcome).to.equal(text);
  });

  it('of a request is empty where there is none', async () => {
    const { port, outcome } = await reading();
    await fetch(`http://127.0.0.1:${port}`);
    expect(await outcome).to.equal('');
  });

  it('of a request that does not announce its size is refused at the first byte too many', async () => {
    const { port, outcome } = await reading();
    const sending = request({ port, host: '127.0.0.1', method: 'POST' });
    // Never ends: what is refused is what has arrived.
    sending.write('x'.repeat(LIMIT + 1));
    const [answer]: IncomingMessage[] = await once(sending, 'response');
    expect(answer?.statusCode).to.equal(204);
    expect(await outcome)
      .to.be.instanceOf(BodyTooLarge)
      .with.property('message', `the body has more than ${LIMIT} bytes`);
    sending.destroy();
  });

  it('of a request that announces too much is refused before it arrives', async () => {
    const { port, outcome } = await reading();
    const sending = request({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': LIMIT + 1 } });
    sending.flushHeaders();
    await once(sending, 'response');
    expect(await outcome).to.be.instanceOf(BodyTooLarge);
    sending.destroy();
  });

  it('that breaks off is no body', async () => {
    const { port, outcome } = await reading();
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nhalf');
    await once(server ?? socket, 'request');
    socket.destroy();
    expect(await outcome)
      .to.be.instanceOf(Error)
      .and.not.to.be.instanceOf(BodyTooLarge);
  });

  it('of an answer is read, or given up with its connection', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const port = await serve((incoming, answer) => {
      if (incoming.url === '/small') {
        answer.end('x'.repeat(LIMIT));
        return;
      }
      answer.once('close', resolve);
      const more = () => {
        while (answer.write('x'.repeat(10_000)));
        answer.once('drain', more);
      };
      more();
    });
    const bodyOf = async (path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`)).body ?? new ReadableStream();
    expect(await readBounded(await bodyOf('/small'), LIMIT)).to.have.lengthOf(LIMIT);
    expect(await failureOf(readBounded(await bodyOf('/endless'), LIMIT))).to.be.instanceOf(BodyTooLarge);
    await closed;
  });

  it('of a file is read chunk by chunk', async () => {
    const chunks = ['ab', 'cd'].map((text) => Buffer.from(text));
    expect((await readBounded(Readable.from(chunks), 4)).toString()).to.equal('abcd');
    expect(await failureOf(readBounded(Readable.from(chunks), 3))).to.be.instanceOf(BodyTooLarge);
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('ab');
        throw new Error('the disk broke');
      })(),
    );
    expect(await failureOf(readBounded(broken, 4))).to.have.property('message', 'the disk broke');
  });
});
