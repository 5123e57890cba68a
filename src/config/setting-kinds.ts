import { z } from 'zod';
import { isHost, isServer, parseServerUrl } from '../failures/server-url.ts';

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
    if (names.length === 0) context.addIssue(`must name one of ${values.join(', ')}, or be ${shown(all)}`);
    return values.filter((value) => names.includes(value));
  });

/** `true` or `false`. */
export const boolean = oneOf(['true', 'false']).transform((word) => word === 'true');

/**
 * An absolute http or https address, without a slash at the end so that paths can be appended, and without a user: no
 * client here sends one. The message never shows the value, which may contain a password.
 */
export const address = z.string().transform((text, context) => {
  const url = parseServerUrl(text);
  const isHttp = url !== null && ['http', 'https'].includes(url.scheme) && url.servers.length === 1;
  if (isHttp && !/[@?]/.test(text) && URL.canParse(text)) return text.trim().replace(/\/+$/, '');
  context.addIssue('must be an address like http://localhost:9082, without user, password and query');
  return z.NEVER;
});

/** `host` or `host:port`, without a scheme. The message never shows the value: it may be an address with a password. */
export const hostAndPort = z.string().transform((text, context) => {
  if (isServer(text)) return text;
  context.addIssue('must be a host, or host:port, without a scheme, like localhost:9000');
  return z.NEVER;
});

/** A host without scheme and port. The message never shows the value: it may be an address with a password. */
export const host = z
  .string()
  .refine(isHost, 'must be a host, without a scheme, user or port, like localhost or 10.0.0.1');

/**
 * One or several servers of a cluster, separated by commas. The message never shows the value, which may contain a
 * password.
 */
export const serverUrls = (protocols: readonly string[]) =>
  z.string().transform((text, context) => {
    // `scheme://a,b,c?option` is one connection string, `scheme://a,scheme://b` a list of them.
    const [scheme] = /^[a-z+]+:/.exec(text) ?? [];
    if (scheme !== undefined && protocols.includes(scheme) && /^[a-z+]+:\/\/[^/\s]+/.test(text)) return text;
    context.addIssue(`must begin with ${protocols.map((protocol) => `${protocol}//`).join(' or ')} and name a server`);
    return z.NEVER;
  });

/** 32 bytes, base64 or hex. The message never shows the value, which is a secret. */
export const masterKey = z.string().transform((text, context) => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  // Checked first, since Buffer.from ignores characters that are not base64.
  if (/^[\w+/-]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  context.addIssue('must be 32 bytes in base64 (44 characters) or hex (64 characters): openssl rand -base64 32');
  return z.NEVER;
});

/** Realms, separated by commas, each once. */
export const realmNames = z.string().transform((text, context): readonly string[] => {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  if (names.every((name) => /^[^\s/?#%\\]+$/.test(name))) return names;
  context.addIssue(`must be the name of a realm, or several separated by commas, not ${shown(text)}`);
  return z.NEVER;
});

/** A secret, but not an unresolved placeholder of a template (`${...}`), whose text is publicly known. */
export const clientSecret = z
  .string()
  .refine((text) => !text.startsWith('${'), 'is the name of a variable, not its value');
