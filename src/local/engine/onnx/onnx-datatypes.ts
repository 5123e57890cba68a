/**
 * ONNX element types by number, with the names of the Open Inference Protocol; types without such a name have one of
 * this project.
 */
const DATATYPES: Readonly<Record<number, string>> = {
  1: 'FP32',
  2: 'UINT8',
  3: 'INT8',
  4: 'UINT16',
  5: 'INT16',
  6: 'INT32',
  7: 'INT64',
  8: 'BYTES',
  9: 'BOOL',
  10: 'FP16',
  11: 'FP64',
  12: 'UINT32',
  13: 'UINT64',
  16: 'BF16',
  17: 'FP8_E4M3FN',
  18: 'FP8_E4M3FNUZ',
  19: 'FP8_E5M2',
  20: 'FP8_E5M2FNUZ',
  21: 'UINT4',
  22: 'INT4',
  23: 'FP4_E2M1',
};

/** Null where the type is none of a tensor. */
export const datatypeByNumber = (type: number): string | null => DATATYPES[type] ?? null;
