const inOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, inOrder(item)]));
};

/**
 * JSON with the fields of objects in a fixed order, so that equal values have equal texts; empty for undefined.
 *
 * Hashes of these texts are stored, so the texts must never change. RFC 8785 (the package canonicalize) gives other texts
 * for keys that look like indices, which JavaScript puts first, and none for 1e999 or a lone surrogate. A request is hashed
 * before it is validated, and may contain any of these.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(inOrder(value)) ?? '';
