import { expect } from 'chai';
import fc from 'fast-check';
import { nameStreams } from '../../src/events/name-events.ts';
import { formerNameKey, nameKey } from '../../src/events/name-key.ts';
import { ResourceName } from '../../src/events/values.ts';

const TENANT = '01939e00-0000-7000-8000-000000000001';
const unicode = fc.string({ unit: 'binary', maxLength: 120 });

describe('the key of a name', () => {
  it('is the same for the spellings of one name, and another one for another name', () => {
    for (const [one, other] of [
      ['Straße', 'STRASSE'],
      ['ﬁne', 'FINE'],
      ['Ｃｈａｔ', 'chat'],
      ['Cafe\u0301', 'CAFÉ'],
      ['ΟΔΟΣ', 'οδος'],
      ['ｶﾞ', 'ガ'],
      ['❤️', '❤'],
      [' chat ', 'Chat'],
    ] as const) {
      expect(nameKey(one), `${one} ${other}`).to.equal(nameKey(other));
    }
    for (const [one, other] of [
      ['ılık', 'ilik'],
      ['か', 'が'],
      ['resume', 'résumé'],
      ['a b', 'ab'],
    ] as const) {
      expect(nameKey(one), `${one} ${other}`).not.to.equal(nameKey(other));
    }
  });

  it('is its own key, and that of what the first releases made of the name', () => {
    fc.assert(
      fc.property(unicode, (name) => {
        const key = nameKey(name);
        expect(nameKey(key)).to.equal(key);
        expect(nameKey(formerNameKey(name))).to.equal(key);
        expect(nameKey(name.toLowerCase())).to.equal(key);
        expect(nameKey(name.normalize('NFKD'))).to.equal(key);
      }),
      { numRuns: 2000 },
    );
  });

  it('makes a name of a stream that every log takes, the same for the same key only', () => {
    fc.assert(
      fc.property(unicode, unicode, (one, other) => {
        const [stream = '', former] = nameStreams(TENANT, { kind: 'cluster', name: one });
        expect(stream).to.match(/^[!-~]{1,500}$/);
        if (former !== undefined) expect(former).to.match(/^[!-~]{1,500}$/);
        const [another] = nameStreams(TENANT, { kind: 'cluster', name: other });
        expect(stream === another).to.equal(nameKey(one) === nameKey(other));
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves a name in the stream of the first releases where its key is the same', () => {
    const name = 'Küche 7';
    expect(nameStreams(TENANT, { kind: 'project', name })).to.deep.equal([`name-project-${TENANT}-k%C3%BCche%207`]);
  });
});

describe('a name', () => {
  const issueOf = (name: string) => ResourceName.safeParse(name).error?.issues[0];

  it('has up to 100 characters of any script', () => {
    for (const character of ['a', '界', 'ग', '😀', '𠀋', 'ß', 'ﷺ']) {
      expect(issueOf(character.repeat(100)), character).to.equal(undefined);
      expect(issueOf(character.repeat(101))?.code, character).to.equal('too_big');
    }
    expect(issueOf(' ')?.code).to.equal('too_small');
  });

  it('has no character that cannot be seen, or that turns the text around it', () => {
    const unseen = [
      '\u200b',
      '\u200d',
      '\u200c',
      '\ufeff',
      '\u202e',
      '\u2066',
      '\u061c',
      '\u00ad',
      '\u0007',
      '\n',
      '\u2028',
    ];
    for (const character of [...unseen, '\u3164', '\u{e0061}', '\u180e', '\ufe0f', '\u{378}']) {
      const issue = issueOf(`a${character}b`);
      expect(issue?.message, JSON.stringify(character)).to.match(/invisible character U\+[0-9A-F]{4,}/);
    }
    expect(issueOf('👩‍💻')?.message).to.match(/U\+200D/);
    for (const name of ['I ❤️ ML', '1️⃣', 'नमस्ते', 'é', 'e\u0301', '模型']) expect(issueOf(name), name).to.equal(undefined);
  });
});
