/** An entity tag of RFC 9110, weak or strong. */
const TAG = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"';
const OPAQUE = /"([^"]*)"/g;

/** `*`, or a list of entity tags; empty, which counts as absent. No two parts can take the same blanks, so it is linear. */
export const TAG_LIST = new RegExp(`^(?:|\\*|[ \\t,]*${TAG}(?:[ \\t]*,[ \\t,]*${TAG})*[ \\t,]*)$`);

/** The resource has any revision, or one of these. */
export type Revisions = '*' | readonly number[];

/**
 * The revisions that a header names; undefined where it is absent, null where it cannot be read. Tags of others are left
 * out. `W/` says nothing here: our tags name revisions, not bytes, and a proxy that compresses makes them weak.
 */
export const revisionsOf = (header: string): Revisions | undefined | null => {
  const text = header.trim();
  if (text === '') return undefined;
  if (text === '*') return '*';
  if (!TAG_LIST.test(text)) return null;
  const names = [...text.matchAll(OPAQUE)].map(([, name = '']) => name);
  return names.filter((name) => /^\d{1,15}$/.test(name)).map(Number);
};
