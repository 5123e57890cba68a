import { stripVTControlCharacters } from 'node:util';

/** Other systems may say any amount. */
const MAX_LENGTH = 1000;
const MAX_PARTS = 5;
const MAX_DEPTH = 5;
const NOTHING_SAID = 'no reason given';

/**
 * White space, control characters and marks that turn the direction of the text: they forge lines in logs, and Postgres
 * does not store NUL.
 */
const UNPRINTABLE = /[\s\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

const shorten = (text: string): string =>
  text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 1).replace(/[\ud800-\udbff]$/, '')}…`;

const clean = (text: string): string => {
  // Cut before as well as after, so that a text of any length costs little.
  const printable = stripVTControlCharacters(text.slice(0, 4 * MAX_LENGTH)).replace(UNPRINTABLE, ' ');
  return shorten(printable.trim()).toWellFormed();
};

const textIn = (value: object, name: 'message' | 'code'): string => {
  const found: unknown = Reflect.get(value, name);
  return typeof found === 'string' ? found : '';
};

const partsOf = ({ errors }: AggregateError, depth: number): string => {
  const parts = errors.slice(0, MAX_PARTS).map((part: unknown) => rawText(part, depth + 1));
  return [...new Set(parts)].filter((part) => part !== '').join('; ');
};

const rawText = (failure: unknown, depth = 0): string => {
  if (typeof failure !== 'object' || failure === null) return String(failure);
  const message = textIn(failure, 'message');
  if (message.trim() !== '') return message;
  if (!(failure instanceof Error)) return Object.prototype.toString.call(failure);
  // Node says nothing itself where a host has several addresses and none of them answers.
  const parts = failure instanceof AggregateError && depth < MAX_DEPTH ? partsOf(failure, depth) : '';
  return parts || textIn(failure, 'code') || failure.name;
};

/**
 * What a failure says of itself, whoever threw it: one line of printable text, never empty, at most 1000 characters. The
 * causes are left out.
 */
export const failureText = (failure: unknown): string => clean(rawText(failure)) || NOTHING_SAID;

/** What a person is told whose command or start failed: the failure and what is behind it, a line each, but no stack. */
export const explain = (failure: unknown): string => {
  const lines: string[] = [];
  for (let next = failure; lines.length < MAX_DEPTH; next = next.cause) {
    lines.push(failureText(next));
    if (!(next instanceof Error && next.cause instanceof Error)) break;
  }
  return lines.join('\n  because: ');
};
