/** Escapes in JSON of characters that Postgres cannot store: NUL, and half of a surrogate pair. */
const UNSTORABLE_ESCAPES = /\\u(?:0000|d[89a-f])/i;

/** Why Postgres cannot store a text; null: it can. */
export const unstorable = (text: string): 'nul-character' | 'not-unicode' | null => {
  if (text.includes('\0')) return 'nul-character';
  return text.isWellFormed() ? null : 'not-unicode';
};

/** The text with U+FFFD in the place of what Postgres cannot store. */
export const toStorable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

const cleanValue = (_: string, value: unknown): unknown => {
  if (typeof value === 'string') return toStorable(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if (Object.keys(value).every((key) => unstorable(key) === null)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [toStorable(key), item]));
};

/**
 * Parses JSON that another system wrote, with U+FFFD in the place of what Postgres cannot store. One such character in a
 * fact would fail every transaction that stores it. Throws `SyntaxError`.
 */
export const parseStorableJson = (text: string): unknown =>
  UNSTORABLE_ESCAPES.test(text) ? JSON.parse(text, cleanValue) : JSON.parse(text);

/** JSON that Postgres can store as `jsonb`, with U+FFFD in the place of the characters that it cannot store. */
export const toStorableJson = (value: unknown): string => {
  const json = JSON.stringify(value);
  // Searches the finished text: hardly any value has such a character, and a replacer would slow down all values.
  return UNSTORABLE_ESCAPES.test(json) ? JSON.stringify(parseStorableJson(json)) : json;
};

/** Parses JSON and passes every text in it, keys included, to `check`, where one of them may be unstorable. */
export const parseCheckedJson = (text: string, check: (text: string) => void): unknown => {
  if (!UNSTORABLE_ESCAPES.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, value) => {
    check(key);
    if (typeof value === 'string') check(value);
    return value;
  });
};
