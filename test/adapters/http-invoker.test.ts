import { expect } from 'chai';
import { createHttpInvoker } from '../../src/adapters/http-invoker.ts';
import { aRequest, describeInvoker, serviceFailureOf, startService } from '../contract/invoker.ts';

describeInvoker('http invoker', async ({ port }) => ({
  invoker: createHttpInvoker({ urls: { budsim: `http://127.0.0.1:${port}/` } }),
  close: async () => undefined,
}));

describe('http invoker', () => {
  it('gives up on an answer without end', async () => {
    const service = await startService();
    service.handleWith((_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1_000_000, 0x20)));
      };
      response.on('drain', more);
      more();
    });
    const invoker = createHttpInvoker({ urls: { budsim: `http://127.0.0.1:${service.port}` } });
    const failure = await serviceFailureOf(invoker.invoke(aRequest()));
    await service.close();
    expect(failure).to.include({ retryable: false });
    expect(failure.message).to.contain('more than');
  });

  it('may be tried again where there is no connection', async () => {
    const invoker = createHttpInvoker({ urls: { budsim: 'http://127.0.0.1:1' } });
    expect(await serviceFailureOf(invoker.invoke(aRequest()))).to.include({ status: null, retryable: true });
  });

  it('refuses a service that has no URL', async () => {
    const failure = await serviceFailureOf(createHttpInvoker({ urls: {} }).invoke(aRequest({ app_id: 'constructor' })));
    expect(failure.retryable).to.equal(false);
  });
});
