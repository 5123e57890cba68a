import { expect } from 'chai';
import { hashOfNoPassword, hashPassword, passwordMatches } from '../../../src/local/identity/password-hash.ts';

const CHEAP = { N: 2, r: 1, p: 1 };

describe('password hash', () => {
  it('is matched by its own password only, at the cost that it was made with', async () => {
    const hash = await hashPassword('Correct-Horse-7', CHEAP);
    expect(hash).to.match(/^scrypt:2:1:1:/);
    expect(await passwordMatches('Correct-Horse-7', hash)).to.equal(true);
    expect(await passwordMatches('Correct-Horse-8', hash)).to.equal(false);
  });

  it('costs what is recommended unless told otherwise, for a user who does not exist as well', async () => {
    const cost = (hash: string) => hash.split(':').slice(0, 4).join(':');
    expect(cost(await hashPassword('Correct-Horse-7'))).to.equal('scrypt:32768:8:3');
    expect(cost(hashOfNoPassword())).to.equal('scrypt:32768:8:3');
    expect(await passwordMatches('', hashOfNoPassword())).to.equal(false);
  });

  it('differs for equal passwords', async () => {
    expect(await hashPassword('same', CHEAP)).not.to.equal(await hashPassword('same', CHEAP));
    expect(hashOfNoPassword()).not.to.equal(hashOfNoPassword());
  });
});
