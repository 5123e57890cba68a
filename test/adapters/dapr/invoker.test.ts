import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import pino from 'pino';
import { createDaprInvoker } from '../../../src/adapters/dapr/invoker.ts';
import { SystemUnusable } from '../../../src/errors.ts';
import { aRequest, describeInvoker, type Service, serviceFailureOf, startService } from '../../contract/invoker.ts';
import { startSidecarDouble } from './sidecar-double.ts';

const TOKEN = 'the-token-of-the-sidecar';
/** Nobody listens there. */
const NO_PORT = 1;

describeInvoker('dapr invoker over a sidecar double', async (service) => {
  const sidecar = await startSidecarDouble({ token: TOKEN, service });
  const invoker = createDaprInvoker({ http_port: sidecar.http_port, api_token: TOKEN });
  return {
    invoker,
    async close() {
      await invoker.close();
      await sidecar.close();
    },
  };
});

const createJournal = () => {
  const lines: { level: string; msg: string }[] = [];
  const formatters = { level: (level: string) => ({ level }) };
  return { lines, logger: pino({ formatters }, { write: (line) => lines.push(JSON.parse(line)) }) };
};

const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

describe('dapr invoker', () => {
  let service: Service;
  let sidecar: Awaited<ReturnType<typeof startSidecarDouble>>;
  before(async () => {
    service = await startService();
    sidecar = await startSidecarDouble({ token: TOKEN, service });
  });
  after(async () => {
    await sidecar.close();
    await service.close();
  });
  beforeEach(() => service.answerWith(200, '{}'));

  it('may be tried again where no sidecar answers, says so once, and names the setting', async () => {
    const { lines, logger } = createJournal();
    const invoker = createDaprInvoker({ http_port: NO_PORT, api_token: TOKEN, logger });
    const failure = await serviceFailureOf(invoker.invoke(aRequest()));
    expect(failure).to.include({ status: null, retryable: true });
    expect(failure.message).to.contain('DAPR_HTTP_PORT');
    await serviceFailureOf(invoker.invoke(aRequest()));
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ level: 'warn' });
    expect(lines[0]?.msg).to.contain('DAPR_HTTP_PORT');
  });

  for (const [what, api_token] of [
    ['a wrong', 'wrong'],
    ['no', null],
  ] as const) {
    it(`does not try again with ${what} token, and names the setting`, async () => {
      const { lines, logger } = createJournal();
      const invoker = createDaprInvoker({ http_port: sidecar.http_port, api_token, logger });
      const failure = await serviceFailureOf(invoker.invoke(aRequest()));
      expect(failure).to.include({ status: 401, retryable: false });
      expect(failure.message).to.contain('DAPR_API_TOKEN');
      expect(lines[0]).to.include({ level: 'error' });
      expect(lines[0]?.msg).to.contain('DAPR_API_TOKEN');
    });
  }

  it('tells a service that refuses from a sidecar that refuses', async () => {
    service.answerWith(401, '{"error":"who are you?"}');
    const { lines, logger } = createJournal();
    const invoker = createDaprInvoker({ http_port: sidecar.http_port, api_token: TOKEN, logger });
    const failure = await serviceFailureOf(invoker.invoke(aRequest()));
    expect(failure.message).to.contain('who are you?');
    expect(lines).to.deep.equal([]);
  });

  it('may be tried again while the service behind the sidecar is not up', async () => {
    const early = await startSidecarDouble({ token: TOKEN, service: { port: NO_PORT } });
    const invoker = createDaprInvoker({ http_port: early.http_port, api_token: TOKEN });
    const failure = await serviceFailureOf(invoker.invoke(aRequest()));
    await early.close();
    expect(failure).to.include({ status: 500, retryable: true });
    expect(failure.message).to.contain('ERR_DIRECT_INVOKE');
  });

  it('gives up what is under way when it is closed', async () => {
    const asked = new Promise<void>((resolve) => service.handleWith(() => resolve()));
    const invoker = createDaprInvoker({ http_port: sidecar.http_port, api_token: TOKEN });
    const failing = serviceFailureOf(invoker.invoke(aRequest()));
    await asked;
    await invoker.close();
    expect(await failing).to.include({ retryable: true });
  });

  it('checks the sidecar: it answers, our token is right, the component is there', async () => {
    const { http_port } = sidecar;
    const invoker = createDaprInvoker({ http_port, api_token: TOKEN });
    await invoker.check();
    await invoker.check({ name: 'statestore-redis', setting: 'DAPR_STATE_STORE_NAME' });
    const other = { name: 'other', setting: 'DAPR_STATE_STORE_NAME' };
    const problems = [
      [() => invoker.check(other), 'DAPR_STATE_STORE_NAME', false],
      [() => createDaprInvoker({ http_port, api_token: 'wrong' }).check(), 'DAPR_API_TOKEN', false],
      [() => createDaprInvoker({ http_port: NO_PORT, api_token: TOKEN }).check(), 'DAPR_HTTP_PORT', true],
    ] as const;
    for (const [check, setting, transient] of problems) {
      const error = await failureOf(check());
      expect(error).to.be.instanceOf(SystemUnusable);
      expect(error).to.deep.include({ settings: [setting], transient });
    }
  });

  it('writes nothing to the console and keeps no process alive', async () => {
    const script = `
      import { createDaprInvoker } from ${JSON.stringify(new URL('../../../src/adapters/dapr/invoker.ts', import.meta.url).href)};
      const invoker = createDaprInvoker({ http_port: ${sidecar.http_port}, api_token: ${JSON.stringify(TOKEN)} });
      await invoker.invoke(${JSON.stringify(aRequest())});
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    const [code] = await once(child, 'exit');
    expect({ code, output: Buffer.concat(output).toString() }).to.deep.equal({ code: 0, output: '' });
  });
});
