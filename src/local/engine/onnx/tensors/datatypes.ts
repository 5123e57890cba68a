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

export const isServable = (type: string): type is ServableType => Object.hasOwn(DATATYPES, type);

/** The Open Inference Protocol's name of an ONNX element type, for example `FP32` for `float32`. */
export const datatypeOf = (type: ServableType): string => DATATYPES[type];

/**
 * The elements of a tensor as the runtime takes and gives them: typed arrays, BOOL as bytes of 0 and 1, FP16 as its
 * bits, BYTES as texts.
 */
export type Elements = Tensor.DataType;

/** An element that its datatype cannot carry. */
export class Misfit extends Error {
  /** The index in the flat order of the tensor. */
  readonly index: number;

  /** `what` is the rest of the sentence: `is 300`. */
  constructor(index: number, what: string) {
    super(what);
    this.index = index;
  }
}

/** Why a text cannot be an element of BYTES; null where it can. */
export const textProblem = (text: string): string | null => {
  // The runtime takes texts as C strings, and would cut it there.
  if (text.includes('\0')) return 'contains a NUL character, which ONNX Runtime cannot take';
  return text.isWellFormed() ? null : 'contains half a surrogate pair, which is no text';
};
