import { readFileSync } from 'node:fs';
import { definitionOf, type Fact } from '../../src/events/catalog.ts';

type FactOfType<T extends Fact['type']> = Extract<Fact, { type: T }>;

/** A stored fact of this type, with other values where a test cares: all fixtures tell of the same few things. */
export const fact = <T extends Fact['type']>(type: T, change: Partial<FactOfType<T>['data']> = {}): FactOfType<T> => {
  const name = `${type}.v${definitionOf(type).version}.json`;
  const { data } = JSON.parse(readFileSync(new URL(`../events/fixtures/${name}`, import.meta.url), 'utf8'));
  return { type, data: { ...data, ...change } } as FactOfType<T>;
};
