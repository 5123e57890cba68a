import { expect } from 'chai';
import { createDaprState } from '../../src/adapters/dapr-state.ts';
import { startService } from '../contract/invoker.ts';

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
});
