import { expect } from 'chai';
import { codeOf, innerCodeOf } from '../../src/failures/failure-code.ts';

const withCode = (code: unknown, cause?: unknown): Error => Object.assign(new Error('failed', { cause }), { code });

describe('failure code', () => {
  it('is what the error itself says, where that is text', () => {
    expect(codeOf(withCode('ENOENT'))).to.equal('ENOENT');
    expect(codeOf(withCode(14))).to.equal('');
    expect(codeOf(new Error('failed', { cause: withCode('ENOENT') }))).to.equal('');
    expect(codeOf({ code: 'ENOENT' })).to.equal('');
  });

  it('is looked for behind an error that has none', () => {
    expect(innerCodeOf(withCode('ETIMEDOUT', withCode('ENOENT')))).to.equal('ETIMEDOUT');
    expect(innerCodeOf(new Error('failed', { cause: new Error('why', { cause: withCode('ENOENT') }) }))).to.equal(
      'ENOENT',
    );
    expect(innerCodeOf(new Error('failed', { cause: 'no error' }))).to.equal('');
  });
});
