declare global {
  interface JSON {
    // From ES2026; Node has it since version 21.
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string | undefined }) => unknown,
    ): unknown;
  }
}

/** Digits that may be more than a number holds. Where there are none, the far slower parse with a reviver is not needed. */
const LONG_INTEGER = /(?<![\d.eE+"])-?\d{16,}(?![\d.eE])/;
/** No longer than the integers of 64 bits: to convert more digits takes quadratic time. */
const CONVERTIBLE = /^-?\d{16,20}$/;

/** Parses JSON; integers that a number would round become a `bigint`. Throws `SyntaxError`. */
export const parseLossless = (text: string): unknown => {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && CONVERTIBLE.test(source) ? BigInt(source) : value,
  );
};
