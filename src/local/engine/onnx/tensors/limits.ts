/** What a request and an answer may have. A model that needs more is refused, since nobody could call it. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Of one input. */
export const MAX_ELEMENTS = 16 * 1024 * 1024;
/** Of all outputs of one answer together. */
export const MAX_JSON_ELEMENTS = 4 * 1024 * 1024;
export const MAX_BINARY_BYTES = 256 * 1024 * 1024;
/** Inputs, and outputs. */
export const MAX_TENSORS = 1024;
export const MAX_RANK = 64;
/** Names come back in refusals. */
export const LONGEST_NAME = 1_000;
