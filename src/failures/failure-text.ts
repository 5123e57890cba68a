import { stripVTControlCharacters } from 'node:util';

/** The text of another system may be of any length. */
const MAX_LENGTH = 1000;
const MAX_PARTS = 5;
const MAX_DEPTH = 5;
const NO_TEXT = 'no reason given';

/**
 * White space, control characters and marks that change the direction of the text: with them, a text can forge lines in
 * logs, and Postgres does not store NUL.
 */
const UNPRINTABLE = /[\s\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

const shorten = (text: string): string =>
  text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH - 1).replace(/[\ud800-\udbff]$/, '')}…`;

const clean = (text: string): string => {
  // Shortened before as well as after, so that a very long text costs little.
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
  // Node's error has no message where a host has several addresses and none of them answers.
  const parts = failure instanceof AggregateError && depth < MAX_DEPTH ? partsOf(failure, depth) : '';
  return parts || textIn(failure, 'code') || failure.name;
};

/**
 * The text of any thrown value: one line of printable characters, never empty, at most 1000 characters, without the
 * causes.
 */
export const failureText = (failure: unknown): string => clean(rawText(failure)) || NO_TEXT;

/** The text for the console after a failed command or start: the failure and its causes, a line each, without stacks. */
export const explain = (failure: unknown): string => {
  const lines: string[] = [];
  for (let next = failure; lines.length < MAX_DEPTH; next = next.cause) {
    lines.push(failureText(next));
    if (!(next instanceof Error && next.cause instanceof Error)) break;
  }
  return lines.join('\n  because: ');
};
