import { randomInt } from 'node:crypto';

const hasFittingLength = (text: string): boolean => {
  const { length } = [...text];
  return length >= 8 && length <= 100;
};

const RULES: readonly { detail: string; holds(password: string): boolean }[] = [
  { detail: 'must have 8 to 100 characters', holds: hasFittingLength },
  { detail: 'must contain a digit', holds: (text) => /\p{Nd}/u.test(text) },
  { detail: 'must contain an upper-case letter', holds: (text) => /\p{Lu}/u.test(text) },
  { detail: 'must contain a lower-case letter', holds: (text) => /\p{Ll}/u.test(text) },
  { detail: 'must contain a special character', holds: (text) => /[^\p{L}\p{N}\s]/u.test(text) },
];

/** What is wrong with a new password, one sentence each; empty where it is good. */
export const passwordFaults = (password: string): string[] =>
  RULES.filter((rule) => !rule.holds(password)).map((rule) => rule.detail);

// Without the characters that are hard to tell apart when read from a terminal (0 O, 1 l I).
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-+=_';

/** A random password of 20 characters (about 118 bits) that satisfies the rules. */
export const generatePassword = (): string => {
  for (;;) {
    const password = Array.from({ length: 20 }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
    if (passwordFaults(password).length === 0) return password;
  }
};
