/** What each value takes beside its text. */
const VALUE_BYTES = 16;

const sizeOf = (value: unknown): number => {
  if (typeof value === 'string') return VALUE_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return VALUE_BYTES;
  let size = VALUE_BYTES;
  for (const part of Array.isArray(value) ? value : Object.values(value)) size += sizeOf(part);
  return size;
};

/**
 * About how many bytes an event takes in memory. Who collects events counts these too: with 1 MB each, a few thousand are
 * more than a process has.
 */
export const eventSize = ({ data, meta }: { data: unknown; meta: unknown }): number => sizeOf(data) + sizeOf(meta);
