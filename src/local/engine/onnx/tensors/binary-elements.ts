import { type Elements, Misfit, type ServableType, textProblem } from './datatypes.ts';

/** Bytes of one element in the protocol's binary form (little-endian); null where each brings its own length. */
export const BYTES_PER_ELEMENT: Readonly<Record<ServableType, number | null>> = {
  ...{ bool: 1, uint8: 1, int8: 1, uint16: 2, int16: 2, float16: 2, uint32: 4, int32: 4, float32: 4 },
  ...{ uint64: 8, int64: 8, float64: 8, string: null },
};

const LENGTH_BYTES = 4;

/** The bytes of a tensor do not have the form that the protocol describes. The message is the rest of a sentence. */
export class MalformedBinary extends Error {}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const textAt = (bytes: Buffer, index: number): string => {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new Misfit(index, 'is not UTF-8, and ONNX Runtime takes texts only');
  }
  const problem = textProblem(text);
  if (problem !== null) throw new Misfit(index, problem);
  return text;
};

/** Texts, each after its length in bytes (4, little-endian). */
const readTexts = (bytes: Buffer, count: number): string[] => {
  // Checked first, so that a list is never longer than the bytes that came.
  if (count * LENGTH_BYTES > bytes.length) {
    throw new MalformedBinary(`has ${bytes.length} bytes, too few for ${count} elements with their lengths`);
  }
  const texts: string[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    if (offset + LENGTH_BYTES > bytes.length) throw new MalformedBinary(`ends within the length of element ${index}`);
    const end = offset + LENGTH_BYTES + bytes.readUInt32LE(offset);
    if (end > bytes.length) throw new MalformedBinary(`ends within element ${index}`);
    texts.push(textAt(bytes.subarray(offset + LENGTH_BYTES, end), index));
    offset = end;
  }
  if (offset < bytes.length) throw new MalformedBinary(`has ${bytes.length - offset} bytes after its last element`);
  return texts;
};

/** A copy: the elements of a typed array must be aligned, and stay after the request's body is gone. */
const copyOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;

const readBooleans = (bytes: Buffer): Uint8Array => {
  const elements = new Uint8Array(copyOf(bytes));
  const wrong = elements.findIndex((value) => value > 1);
  if (wrong >= 0) throw new Misfit(wrong, `is ${elements[wrong]}; it takes the bytes 0 and 1`);
  return elements;
};

/** `count` elements from exactly these bytes. Throws `MalformedBinary` or `Misfit`. */
export const readBinary = (type: ServableType, bytes: Buffer, count: number): Elements => {
  const size = BYTES_PER_ELEMENT[type];
  if (size !== null && bytes.length !== size * count)
    throw new MalformedBinary(`has ${bytes.length} bytes, and its shape needs ${size * count}`);
  switch (type) {
    case 'string':
      return readTexts(bytes, count);
    case 'bool':
      return readBooleans(bytes);
    case 'uint8':
      return new Uint8Array(copyOf(bytes));
    case 'int8':
      return new Int8Array(copyOf(bytes));
    case 'uint16':
    case 'float16':
      return new Uint16Array(copyOf(bytes));
    case 'int16':
      return new Int16Array(copyOf(bytes));
    case 'uint32':
      return new Uint32Array(copyOf(bytes));
    case 'int32':
      return new Int32Array(copyOf(bytes));
    case 'float32':
      return new Float32Array(copyOf(bytes));
    case 'uint64':
      return new BigUint64Array(copyOf(bytes));
    case 'int64':
      return new BigInt64Array(copyOf(bytes));
    case 'float64':
      return new Float64Array(copyOf(bytes));
  }
};

const writeTexts = (texts: readonly string[]): Buffer => {
  const parts = texts.map((text) => Buffer.from(text));
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(part.length);
      return [length, part];
    }),
  );
};

/** The elements in the protocol's binary form. */
export const writeBinary = (elements: Elements): Buffer =>
  Array.isArray(elements)
    ? writeTexts(elements)
    : Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
