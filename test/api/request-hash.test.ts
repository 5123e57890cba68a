import { expect } from 'chai';
import { requestHash } from '../../src/api/idempotency.ts';

/** SHA-256 of requests as they are stored beside their keys and in events; whoever changes one breaks repeated requests. */
const STORED: readonly { of: string; json?: string; hash: string }[] = [
  { of: 'no body', hash: 'a52306d5fefb34a40b130ceb2c4fa22eff103cc2c2d8ac44980f627429a029af' },
  { of: 'null', json: 'null', hash: '12358ece7da77c1fe3c861a41a2e22aa9b74f77879fc05546766fc3f7c183f1d' },
  { of: 'an empty object', json: '{}', hash: 'ecc536f617c8d88a6af93709c9e4a0f36a055c68d5c17e4e65de5bda25c59ef0' },
  {
    of: 'nested objects with their keys out of order',
    json: '{"b":1,"a":{"d":[3,{"z":1,"y":2}],"c":null}}',
    hash: '8ecde95dd271fbaf1fa4076e40bc3ad0cf5324d8f20d31a3ae56449b71f328c7',
  },
  {
    of: 'keys that languages sort differently',
    json: '{"b":1,"B":2,"_":3,"é":4,"e\\u0301":5,"":6}',
    hash: 'b55d96374e21ee4fc1355926e73ca207a4e9faa28d294c08a94800376d2b40c6',
  },
  {
    of: 'keys that sort differently by code unit and by code point, and NUL',
    json: '{"\\ud83d\\ude00":1,"\\ufffd":2,"z":"👍\\u2028\\u007f\\u0000"}',
    hash: 'cbb93b7bfb31dc64f3db412d85ce3f1450aaffad1d70de27750f476390080488',
  },
  {
    of: 'escaped characters',
    json: '{"text":"\\"\\\\/\\b\\f\\n\\r\\t\\u001f<ü漢"}',
    hash: '8ed0986ad06df4fc419085c6677e42f7fac48f7b20f99cfb181c3e3fc794c59a',
  },
  {
    of: 'halves of surrogate pairs',
    json: '["\\ud83d","\\udc00x"]',
    hash: '4706871fca811cad0373da50141315245860ecfe5c29cc2f6c69cc37694f8343',
  },
  {
    of: 'numbers: large, small, negative zero, and beyond what a double holds',
    json: '[1e21,1e-7,-0,0.1,123456789012345680000,1E400,-1e400,5e-324,1.0]',
    hash: '1306e64bb99fa2028f28737c424e531442d64fa1c25963b273e54d6fb6a8f4f7',
  },
  {
    of: 'keys that JavaScript takes for indices',
    json: '{"10":"a","9":"b","01":"c","-1":"d","4294967295":"e"}',
    hash: '028c614f88c0377ade1252fc9f63f37fa0ac29c9c909d7ae903fde4cda33fcdb',
  },
  {
    of: 'keys that objects have by themselves',
    json: '{"constructor":1,"__proto__":{"b":1,"a":2},"toJSON":3}',
    hash: 'e32d4720d4a3d4e4d62a48e24168840f50904e91e52844a8a76574c0a8dc9981',
  },
  {
    of: 'arrays in arrays',
    json: '[[],[[]],{},[{"b":1,"a":1}],true,false,""]',
    hash: '1f04a293b7fb13873050238cd01641cf50563bc9bfa57429ee69c6fbead133a4',
  },
  {
    of: 'a key that is given twice',
    json: '{"a":1,"a":2}',
    hash: 'fe5b8a025e0b0f911eda13bb79027d7ff8d78fd2a8b1198af37959e7363c8343',
  },
];

describe('request hash', () => {
  for (const { of, json, hash } of STORED) {
    it(`stays what it was for ${of}`, () => {
      expect(requestHash('POST', '/projects', json === undefined ? undefined : JSON.parse(json))).to.equal(hash);
    });
  }

  it('stays what it was for values that do not come from JSON', () => {
    const hashOf = (content: unknown): string => requestHash('POST', '/projects', content);
    expect(hashOf({ a: undefined, b: [undefined] })).to.equal(
      '1f98586b3e858c5c968022235640105d29b74e78e2ee92274df5baca0ddae405',
    );
    expect(hashOf({ at: new Date(0) })).to.equal('21eb94fc110223e3d096682c86c3d6bd5caeda8e39d70b7158b8d1bf1e68ee11');
  });

  it('is the same in whatever order the fields stand, and another for another method or path', () => {
    const [content, turned] = ['{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}'].map((text) =>
      JSON.parse(text),
    );
    expect(requestHash('POST', '/projects', content)).to.equal(requestHash('POST', '/projects', turned));
    const hashes = [
      requestHash('POST', '/projects', null),
      requestHash('PATCH', '/projects', null),
      requestHash('POST', '/projects/1', null),
    ];
    expect(new Set(hashes).size).to.equal(3);
  });
});
