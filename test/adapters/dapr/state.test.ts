import { expect } from 'chai';
import { createDaprState } from '../../../src/adapters/dapr/state.ts';
import { Rejected } from '../../../src/errors.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { startService } from '../../contract/invoker.ts';
import { failureOf } from '../../failure-of.ts';

describe('state store of Dapr', () => {
  for (const [what, answer, expected] of [
    ['an object as its JSON text', '{"expires_at":1, "issued_until":null}', '{"expires_at":1,"issued_until":null}'],
    ['a number as its JSON text', '17', '17'],
    ['a text as it is', '"{\\"a\\": 1}"', '{"a": 1}'],
    ['nothing as null', '', null],
  ] as const) {
    it(`hands on ${what}`, async () => {
      const sidecar = await startService();
      const state = createDaprState({ http_port: sidecar.port, api_token: null, store_name: 'statestore' });
      sidecar.answerWith(200, answer);
      expect(await state.get('key')).to.equal(expected);
      await state.close();
      await sidecar.close();
    });
  }

  it('says once that it cannot be used, and once that it can again', async () => {
    const lines: { level: string }[] = [];
    const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(JSON.parse(line)) } });
    const sidecar = await startService();
    const state = createDaprState({ http_port: sidecar.port, api_token: null, store_name: 'statestore', logger });
    sidecar.answerWith(500, '{"errorCode":"ERR_STATE_GET"}');
    for (let count = 0; count < 3; count += 1) expect(await failureOf(state.get('key'))).to.be.instanceOf(Rejected);
    sidecar.answerWith(200, '17');
    for (let count = 0; count < 3; count += 1) await state.get('key');
    expect(lines.map(({ level }) => level)).to.deep.equal(['warn', 'info']);
    await state.close();
    await sidecar.close();
  });
});
