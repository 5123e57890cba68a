import { expect } from 'chai';
import fc from 'fast-check';
import { MalformedBinary, readBinary, writeBinary } from '../../../../src/local/engine/onnx/tensors/binary-elements.ts';
import {
  datatypeOf,
  isServable,
  Misfit,
  type ServableType,
} from '../../../../src/local/engine/onnx/tensors/datatypes.ts';
import { decodeElements, encodeElements } from '../../../../src/local/engine/onnx/tensors/json-elements.ts';
import { parseLossless } from '../../../../src/local/engine/onnx/tensors/parse-lossless.ts';

const lossless: [ServableType, string, unknown[]][] = [
  ['bool', 'BOOL', [true, false]],
  ['uint8', 'UINT8', [0, 255]],
  ['uint16', 'UINT16', [0, 65_535]],
  ['uint32', 'UINT32', [0, 4_294_967_295]],
  ['uint64', 'UINT64', [0, Number.MAX_SAFE_INTEGER, '18446744073709551615']],
  ['int8', 'INT8', [-128, 127]],
  ['int16', 'INT16', [-32_768, 32_767]],
  ['int32', 'INT32', [-2_147_483_648, 2_147_483_647]],
  ['int64', 'INT64', [-1, '-9223372036854775808', '9223372036854775807']],
  ['float16', 'FP16', [0.5, -2, 65_504, 'NaN', 'Infinity', '-Infinity']],
  ['float32', 'FP32', [0.5, -1.25, 'NaN', 'Infinity', '-Infinity']],
  ['float64', 'FP64', [0.1, 1e300, 'NaN', 'Infinity', '-Infinity']],
  ['string', 'BYTES', ['', 'text', '短い 🙂']],
];

describe('the elements of tensors', () => {
  for (const [type, datatype, values] of lossless) {
    it(`are carried as ${datatype} without loss, in JSON and in bytes`, () => {
      expect(datatypeOf(type)).to.equal(datatype);
      const data = encodeElements(type, values);
      expect(decodeElements({ type, data })).to.deep.equal(values);
      expect(readBinary(type, writeBinary(data), values.length)).to.deep.equal(data);
    });
  }

  const misfits: [ServableType, unknown][] = [
    ['bool', 'yes'],
    ['bool', 2],
    ['uint8', 256],
    ['uint8', -1],
    ['int32', 1.5],
    ['int32', '1'],
    ['int64', Number.MAX_SAFE_INTEGER + 1],
    ['int64', '9223372036854775808'],
    ['int64', 2n ** 63n],
    ['int64', '1e3'],
    ['uint64', '-1'],
    ['float16', 65_520],
    ['float32', '1'],
    ['float32', 1e39],
    ['float32', 'nan'],
    ['float64', null],
    ['float64', Number.POSITIVE_INFINITY],
    ['string', 1],
    ['string', 'cut\0here'],
    ['string', '\ud800'],
  ];
  for (const [type, value] of misfits) {
    it(`are refused where ${typeof value === 'bigint' ? value : JSON.stringify(value)} should be ${type}`, () => {
      expect(() => encodeElements(type, [value])).to.throw(Misfit);
    });
  }

  it('are what they were in JSON text, however many digits they have', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const data = encodeElements('int64', [parseLossless(`${value}`)]);
        expect(data).to.deep.equal(BigInt64Array.of(value));
        expect(encodeElements('int64', decodeElements({ type: 'int64', data }))).to.deep.equal(data);
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(
          JSON.stringify(parseLossless(text), (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
        ).to.equal(JSON.stringify(JSON.parse(text)));
      }),
    );
    expect(() => encodeElements('int64', [parseLossless('9223372036854775808')])).to.throw(Misfit);
    expect(() => encodeElements('int64', [parseLossless('9007199254740993.0')])).to.throw(Misfit);
    expect(encodeElements('float64', [parseLossless('123456789012345678901234567890')])).to.deep.equal(
      Float64Array.of(1.2345678901234568e29),
    );
  });

  const text = (...parts: (string | number[])[]) =>
    Buffer.concat(
      parts.map((part) => {
        const bytes = Buffer.from(part as string);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return Buffer.concat([length, bytes]);
      }),
    );
  const malformed: [string, ServableType, Buffer, number][] = [
    ['are too few bytes', 'float32', Buffer.alloc(7), 2],
    ['are too many bytes', 'int8', Buffer.alloc(3), 2],
    ['claim a length beyond the end', 'string', Buffer.from([0xff, 0xff, 0xff, 0xff, 1]), 1],
    ['end within a length', 'string', Buffer.concat([text('aaaa'), Buffer.from([1, 0])]), 2],
    ['are fewer texts than the shape says', 'string', text('a'), 1_000_000],
    ['are more texts than the shape says', 'string', text('a', 'b'), 1],
  ];
  for (const [what, type, bytes, count] of malformed) {
    it(`are refused where they ${what}`, () => {
      expect(() => readBinary(type, bytes, count)).to.throw(MalformedBinary);
    });
  }

  const unfit: [string, ServableType, Buffer][] = [
    ['a byte 2 as BOOL', 'bool', Buffer.from([2])],
    ['bytes that are no UTF-8', 'string', text([0xff])],
    ['a NUL in a text', 'string', text('cut\0here')],
  ];
  for (const [what, type, bytes] of unfit) {
    it(`do not take ${what} in bytes`, () => {
      expect(() => readBinary(type, bytes, 1)).to.throw(Misfit);
    });
  }

  it('survive any bytes: what is read is what was written', () => {
    const types = lossless.map(([type]) => type);
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 64 }),
        fc.nat({ max: 20 }),
        (type, bytes, count) => {
          try {
            expect(writeBinary(readBinary(type, Buffer.from(bytes), count))).to.deep.equal(Buffer.from(bytes));
          } catch (error) {
            if (!(error instanceof Misfit || error instanceof MalformedBinary)) throw error;
          }
        },
      ),
    );
  });

  it('have no type that the protocol has no name for', () => {
    for (const type of ['int4', 'uint4', '__proto__', 'constructor']) expect(isServable(type)).to.equal(false);
  });
});
