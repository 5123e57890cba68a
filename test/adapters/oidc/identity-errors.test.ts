import { expect } from 'chai';
import { ResponseBodyError } from 'openid-client';
import { createRefusals } from '../../../src/adapters/oidc/identity-errors.ts';
import { createLogger } from '../../../src/telemetry.ts';

const REFUSED = { code: 'invalid-credentials', message: 'The e-mail or the password is wrong.' };

describe('what the identity provider refuses', () => {
  const answered = (error: string) => {
    const lines: string[] = [];
    const log = createLogger({ level: 'error', destination: { write: (line) => void lines.push(line) } });
    const response = Response.json({ error }, { status: 400 });
    const refusal = createRefusals({ log }).ofGrant(new ResponseBodyError('', { cause: { error }, response }), REFUSED);
    return { refusal, said: lines.join() };
  };

  it("is the caller's to know, where it is what they brought", () => {
    const { refusal, said } = answered('invalid_grant');
    expect(refusal).to.include({ kind: 'unauthenticated', code: 'invalid-credentials' });
    expect(said).to.equal('');
  });

  for (const error of ['invalid_client', 'unauthorized_client', 'invalid_scope']) {
    it(`is the operator's to know, where it is the client (${error})`, () => {
      const { refusal, said } = answered(error);
      expect(refusal).to.include({ kind: 'unavailable', code: 'identity-unavailable' });
      expect(said).to.contain('KEYCLOAK_CLIENT_ID').and.contain('direct access grants').and.contain('scopes');
    });
  }
});
