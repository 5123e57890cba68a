const inOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, item]) => [name, inOrder(item)]));
};

/**
 * The same text for the same values, in whatever order the fields of an object stand; empty for undefined.
 *
 * Hashes of these texts are stored, so they must never change. RFC 8785 (the package canonicalize) gives other ones where
 * keys look like indices, which JavaScript puts first, and none for 1e999 or half of a surrogate pair. A request is hashed
 * before it is checked, and may hold any of these.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(inOrder(value)) ?? '';
