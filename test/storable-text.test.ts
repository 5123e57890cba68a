import { expect } from 'chai';
import { parseStorableJson, toStorable, toStorableJson, unstorable } from '../src/storable-text.ts';

describe('text that Postgres can store', () => {
  it('is found by what it lacks', () => {
    expect(unstorable('ünï 😀')).to.equal(null);
    expect(unstorable('a\0b')).to.equal('nul-character');
    expect(unstorable('half \ud83d')).to.equal('not-unicode');
  });

  it('has the replacement character in the place of each that cannot be stored', () => {
    expect(toStorable('a\0b\ud83d')).to.equal('a\ufffdb\ufffd');
  });

  it('is all that parsed JSON has, in values and in keys at any depth', () => {
    const parsed = parseStorableJson('{"a":[{"k\\u0000":"\\ud83d","ok":"\\ud83d\\ude00"}],"__proto__":"\\u0000"}');
    expect(parsed).to.deep.equal(JSON.parse('{"a":[{"k\ufffd":"\ufffd","ok":"😀"}],"__proto__":"\ufffd"}'));
  });

  it('leaves other JSON as it is, also the text of an escape', () => {
    for (const json of ['{"a":"\\\\u0000","b":1e3}', '[null,true,""]', '"ünï"']) {
      expect(parseStorableJson(json)).to.deep.equal(JSON.parse(json));
      expect(toStorableJson(JSON.parse(json))).to.equal(JSON.stringify(JSON.parse(json)));
    }
  });

  it('is all that stored JSON has', () => {
    expect(toStorableJson({ 'k\0': ['\ud800'] })).to.equal('{"k\ufffd":["\ufffd"]}');
  });
});
