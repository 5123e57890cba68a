import { z } from 'zod';

const shown = (value: unknown): string => JSON.stringify(value);

/** A whole number. */
export const integer = (min: number, max: number) =>
  z.string().transform((text, context) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
    context.addIssue(`must be a number between ${min} and ${max}, not ${shown(text)}`);
    return z.NEVER;
  });

/** One of some words, in any case. */
export const oneOf = <Value extends string>(values: readonly Value[]) =>
  z.string().transform((text, context): Value => {
    const found = values.find((value) => value === text.trim().toLowerCase());
    if (found !== undefined) return found;
    context.addIssue(`must be one of ${values.join(', ')}, not ${shown(text)}`);
    return z.NEVER;
  });

/** A comma-separated list of `values`, or the one word that stands for all of them. */
export const listOf = <Value extends string>(values: readonly Value[], all: string) =>
  z.string().transform((text, context): readonly Value[] => {
    const names = text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    if (names.length === 1 && names[0] === all) return values;
    const unknown = names.filter((name) => !values.some((value) => value === name));
    if (unknown.length > 0) {
      const given = unknown.map(shown).join(', ');
      context.addIssue(`must be ${shown(all)} or a list of ${values.join(', ')}; ${given} is none of them`);
      return z.NEVER;
    }
    return values.filter((value) => names.includes(value));
  });

/** `true` or `false`. */
export const boolean = oneOf(['true', 'false']).transform((word) => word === 'true');

/** An absolute http or https address, without a slash at the end so that paths can be appended. */
export const address = z.string().transform((text, context) => {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return text.replace(/\/+$/, '');
  context.addIssue(`must be an address like http://localhost:9082, not ${shown(text)}`);
  return z.NEVER;
});

/** 32 bytes, base64 or hex. What was given is a secret and is not shown. */
export const masterKey = z.string().transform((text, context) => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  // Checked before: Buffer.from passes over whatever is not base64.
  if (/^[\w+/-]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  context.addIssue('must be 32 bytes in base64 (44 characters) or hex (64 characters): openssl rand -base64 32');
  return z.NEVER;
});
