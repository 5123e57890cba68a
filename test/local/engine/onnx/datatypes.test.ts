import { expect } from 'chai';
import { Tensor } from 'onnxruntime-node';
import {
  datatypeOf,
  decodeElements,
  encodeElements,
  servableType,
} from '../../../../src/local/engine/onnx/datatypes.ts';

const roundTrip = (type: string, values: unknown[]) => {
  const servable = servableType(type);
  return decodeElements(new Tensor(servable, encodeElements(servable, values), [values.length]));
};

describe('the datatypes of the Open Inference Protocol', () => {
  const lossless: [string, string, unknown[]][] = [
    ['bool', 'BOOL', [true, false]],
    ['uint8', 'UINT8', [0, 255]],
    ['uint16', 'UINT16', [0, 65_535]],
    ['uint32', 'UINT32', [0, 4_294_967_295]],
    ['uint64', 'UINT64', [0, Number.MAX_SAFE_INTEGER, '18446744073709551615']],
    ['int8', 'INT8', [-128, 127]],
    ['int16', 'INT16', [-32_768, 32_767]],
    ['int32', 'INT32', [-2_147_483_648, 2_147_483_647]],
    ['int64', 'INT64', [-1, '-9223372036854775808', '9223372036854775807']],
    ['float16', 'FP16', [0.5, -2, 65_504]],
    ['float32', 'FP32', [0.5, -1.25]],
    ['float64', 'FP64', [0.1, 1e300]],
    ['string', 'BYTES', ['', 'text']],
  ];
  for (const [type, datatype, values] of lossless) {
    it(`carries ${datatype} without loss`, () => {
      expect(datatypeOf(servableType(type))).to.equal(datatype);
      expect(roundTrip(type, values)).to.deep.equal(values);
    });
  }

  const misfits: [string, unknown][] = [
    ['bool', 'yes'],
    ['uint8', 256],
    ['uint8', -1],
    ['int32', 1.5],
    ['int64', Number.MAX_SAFE_INTEGER + 1],
    ['int64', '9223372036854775808'],
    ['uint64', '-1'],
    ['float32', '1'],
    ['float64', null],
    ['string', 1],
  ];
  for (const [type, value] of misfits) {
    it(`refuses ${JSON.stringify(value)} as ${type}`, () => {
      expect(() => encodeElements(servableType(type), [value])).to.throw(RangeError, /element 0/);
    });
  }

  it('says null for what JSON cannot hold', () => {
    expect(
      decodeElements(new Tensor('float32', Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY), [2])),
    ).to.deep.equal([null, null]);
  });

  it('refuses element types that the protocol has no name for', () => {
    expect(() => servableType('int4')).to.throw(/int4/);
  });
});
