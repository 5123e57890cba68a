/// <reference lib="esnext.float16" />
import type { Tensor } from 'onnxruntime-node';

/** The element types of ONNX that the protocol has a name for, and that name. The 4-bit types have none. */
const DATATYPES = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
} as const satisfies Partial<Record<Tensor.Type, string>>;

export type ServableType = keyof typeof DATATYPES;

const isServable = (type: string): type is ServableType => type in DATATYPES;

/** Throws where the model uses a type that cannot be carried over the protocol. */
export const servableType = (type: string): ServableType => {
  if (!isServable(type)) throw new Error(`the element type ${type} cannot be served over the Open Inference Protocol`);
  return type;
};

/** The Open Inference Protocol's name of an ONNX element type, for example `FP32` for `float32`. */
export const datatypeOf = (type: ServableType): string => DATATYPES[type];

/** Inclusive bounds of the integer types that a JSON number can hold without loss. */
const INTEGER_RANGES: Partial<Record<ServableType, readonly [number, number]>> = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffff_ffff],
  int8: [-0x80, 0x7f],
  int16: [-0x8000, 0x7fff],
  int32: [-0x8000_0000, 0x7fff_ffff],
};

const LONG_RANGES: Partial<Record<ServableType, readonly [bigint, bigint]>> = {
  uint64: [0n, 2n ** 64n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

const asBoolean = (value: unknown): number | null => {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : null;
};

const asNumber = (value: unknown): number | null => (typeof value === 'number' ? value : null);

const asInteger = (value: unknown, [low, high]: readonly [number, number]): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high ? value : null;

/** Numbers beyond 2^53 have already lost digits when JSON was parsed, so those must come as text. */
const exactDigits = (value: unknown): string | null => {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? value : null;
};

const asLong = (value: unknown, [low, high]: readonly [bigint, bigint]): bigint | null => {
  const digits = exactDigits(value);
  if (digits === null) return null;
  const long = BigInt(digits);
  return long >= low && long <= high ? long : null;
};

const mapAll = <T>(values: readonly unknown[], convert: (value: unknown) => T | null): T[] =>
  values.map((value, index) => {
    const converted = convert(value);
    if (converted === null) throw new RangeError(`element ${index} is ${JSON.stringify(value)?.slice(0, 40)}`);
    return converted;
  });

/** Flat JSON values as what the runtime wants. Throws `RangeError` naming the first element that does not fit the type. */
export const encodeElements = (type: ServableType, values: readonly unknown[]): Tensor.DataType => {
  const integers = () => mapAll(values, (value) => asInteger(value, INTEGER_RANGES[type] ?? [0, 0]));
  const longs = () => mapAll(values, (value) => asLong(value, LONG_RANGES[type] ?? [0n, 0n]));
  switch (type) {
    case 'bool':
      return Uint8Array.from(mapAll(values, asBoolean));
    case 'uint8':
      return Uint8Array.from(integers());
    case 'uint16':
      return Uint16Array.from(integers());
    case 'uint32':
      return Uint32Array.from(integers());
    case 'int8':
      return Int8Array.from(integers());
    case 'int16':
      return Int16Array.from(integers());
    case 'int32':
      return Int32Array.from(integers());
    case 'uint64':
      return BigUint64Array.from(longs());
    case 'int64':
      return BigInt64Array.from(longs());
    case 'float16':
      return new Uint16Array(Float16Array.from(mapAll(values, asNumber)).buffer);
    case 'float32':
      return Float32Array.from(mapAll(values, asNumber));
    case 'float64':
      return Float64Array.from(mapAll(values, asNumber));
    case 'string':
      return mapAll(values, (value) => (typeof value === 'string' ? value : null));
  }
};

/** JSON has no NaN and no infinity: those are null. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const short = (value: bigint): number | string => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
};

const halves = (bits: Uint16Array): Float16Array => new Float16Array(bits.buffer, bits.byteOffset, bits.length);

/** A tensor's elements as JSON values: 64-bit integers beyond 2^53 as text, what is not finite as null. */
export const decodeElements = (tensor: Tensor): (number | string | boolean | null)[] => {
  const { data, type } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Array.from<bigint, number | string>(data, short);
  if (type === 'bool' && data instanceof Uint8Array) return Array.from(data, (value) => value !== 0);
  if (type === 'float16' && data instanceof Uint16Array) return Array.from(halves(data), finite);
  if (Array.isArray(data)) return data;
  return Array.from<number, number | null>(data, finite);
};
