/// <reference lib="esnext.float16" />
import type { Tensor } from 'onnxruntime-node';
import { type Elements, Misfit, type ServableType, textProblem } from './datatypes.ts';

/** An element as `parseLossless` leaves it. */
type Value = unknown;
type Convert<T> = (value: Value) => T | null;

const FLOAT_TEXTS = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/** What is not finite comes as text. A number that only rounding makes infinite does not fit. */
const asFloat =
  (round: (value: number) => number): Convert<number> =>
  (value) => {
    if (typeof value === 'string') return FLOAT_TEXTS.get(value) ?? null;
    if (typeof value !== 'number' && typeof value !== 'bigint') return null;
    return Number.isFinite(round(Number(value))) ? Number(value) : null;
  };

const asBoolean: Convert<number> = (value) => {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : null;
};

const asInteger =
  (low: number, high: number): Convert<number> =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high ? value : null;

const DECIMAL = /^-?\d{1,20}$/;

const asBigInt = (value: Value): bigint | null => {
  if (typeof value === 'bigint') return value;
  // Beyond 2^53 a number with a fraction or an exponent has lost digits when it was parsed.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  return typeof value === 'string' && DECIMAL.test(value) ? BigInt(value) : null;
};

const asLong =
  (low: bigint, high: bigint): Convert<bigint> =>
  (value) => {
    const long = asBigInt(value);
    return long !== null && long >= low && long <= high ? long : null;
  };

const shown = (value: Value): string =>
  typeof value === 'bigint' ? value.toString() : (JSON.stringify(value)?.slice(0, 40) ?? String(value));

/** `datatype`: what would fit, as the rest of a sentence. */
const mapAll = <T>(values: readonly Value[], convert: Convert<T>, fitting: string): T[] =>
  values.map((value, index) => {
    const converted = convert(value);
    if (converted !== null) return converted;
    // What JSON.parse made infinite would be shown as null.
    const text = value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? 'too large' : shown(value);
    throw new Misfit(index, `is ${text}; it takes ${fitting}`);
  });

const asText = (values: readonly Value[]): string[] =>
  values.map((value, index) => {
    if (typeof value !== 'string') throw new Misfit(index, `is ${shown(value)}; it takes texts`);
    const problem = textProblem(value);
    if (problem !== null) throw new Misfit(index, problem);
    return value;
  });

const floats = (values: readonly Value[], { round, largest }: { round: (value: number) => number; largest: string }) =>
  mapAll(
    values,
    asFloat(round),
    `numbers from -${largest} to ${largest}, and the texts "NaN", "Infinity" and "-Infinity"`,
  );
const integers = (values: readonly Value[], low: number, high: number) =>
  mapAll(values, asInteger(low, high), `whole numbers from ${low} to ${high}`);
const longs = (values: readonly Value[], low: bigint, high: bigint) =>
  mapAll(values, asLong(low, high), `whole numbers from ${low} to ${high}, as digits or as text`);

/** Flat JSON values as elements. Throws `Misfit` for the first that does not fit the type. */
export const encodeElements = (type: ServableType, values: readonly Value[]): Elements => {
  switch (type) {
    case 'bool':
      return Uint8Array.from(mapAll(values, asBoolean, 'true and false'));
    case 'uint8':
      return Uint8Array.from(integers(values, 0, 0xff));
    case 'uint16':
      return Uint16Array.from(integers(values, 0, 0xffff));
    case 'uint32':
      return Uint32Array.from(integers(values, 0, 0xffff_ffff));
    case 'int8':
      return Int8Array.from(integers(values, -0x80, 0x7f));
    case 'int16':
      return Int16Array.from(integers(values, -0x8000, 0x7fff));
    case 'int32':
      return Int32Array.from(integers(values, -0x8000_0000, 0x7fff_ffff));
    case 'uint64':
      return BigUint64Array.from(longs(values, 0n, 2n ** 64n - 1n));
    case 'int64':
      return BigInt64Array.from(longs(values, -(2n ** 63n), 2n ** 63n - 1n));
    case 'float16':
      return bitsOf(Float16Array.from(floats(values, { round: Math.f16round, largest: '65504' })));
    case 'float32':
      return Float32Array.from(floats(values, { round: Math.fround, largest: '3.4028235e38' }));
    case 'float64':
      return Float64Array.from(floats(values, { round: Number, largest: '1.7976931348623157e308' }));
    case 'string':
      return asText(values);
  }
};

const bitsOf = (halves: Float16Array): Uint16Array => new Uint16Array(halves.buffer, halves.byteOffset, halves.length);

const halvesOf = (bits: Uint16Array): Float16Array => new Float16Array(bits.buffer, bits.byteOffset, bits.length);

const asJsonFloat = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

const asJsonLong = (value: bigint): number | string => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
};

export type JsonElement = number | string | boolean;

/** A tensor's elements as JSON values: 64-bit integers beyond 2^53 as text, what is not finite as text. */
export const decodeElements = ({ data, type }: Pick<Tensor, 'data' | 'type'>): JsonElement[] => {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Array.from<bigint, JsonElement>(data, asJsonLong);
  if (type === 'bool' && data instanceof Uint8Array) return Array.from(data, (value) => value !== 0);
  if (type === 'float16' && data instanceof Uint16Array) return Array.from(halvesOf(data), asJsonFloat);
  if (Array.isArray(data)) return data;
  return Array.from<number, JsonElement>(data, asJsonFloat);
};
