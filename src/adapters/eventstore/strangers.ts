/** What makes it worth to leave a category out: few events are read as fast as they are left out. */
const MANY_EVENTS = 200;
const MANY_BYTES = 1024 * 1024;
const MOST_CATEGORIES = 1000;
/** The server compares the name of every event with all of them. */
const MOST_LEFT_OUT = 50;

/**
 * The streams of other applications in the same server, by category: the part of their names up to the first hyphen, as
 * the server itself has it. They are learnt while reading. A category that is nobody's, or in which one event was ours,
 * is never left out: a newer version may have streams that this one does not know.
 */
export interface Strangers {
  /** Returns the category of an event of others; null where it may be ours. */
  saw(stream: string, event: { bytes: number; isOurs: boolean }): string | null;
  /** The streams without the categories to leave out, and without those of `others`; null: all streams. */
  names(others?: Iterable<string>): { pattern: string } | null;
}

interface Category {
  events: number;
  bytes: number;
  hasOurs: boolean;
}

/** The streams of the server itself. */
const SYSTEM = '$';

const categoryIn = (stream: string): string => {
  if (stream.startsWith(SYSTEM)) return SYSTEM;
  const hyphen = stream.indexOf('-');
  return hyphen === -1 ? stream : stream.slice(0, hyphen + 1);
};

const patternOf = (category: string): string => {
  const escaped = category.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return category === SYSTEM || category.endsWith('-') ? escaped : `${escaped}$`;
};

/** `ours`: prefixes of our own streams. Where they are not known, nothing is left out. */
export const createStrangers = (ours: readonly string[] | undefined): Strangers => {
  const categories = new Map<string, Category>();
  const leftOut = new Set<string>();

  const find = (stream: string): [name: string, category: Category] | null => {
    if (ours === undefined || ours.some((prefix) => stream.startsWith(prefix))) return null;
    const name = categoryIn(stream);
    const category = categories.get(name) ?? { events: 0, bytes: 0, hasOurs: false };
    if (categories.size < MOST_CATEGORIES) categories.set(name, category);
    return [name, category];
  };

  return {
    saw(stream, { bytes, isOurs }) {
      const found = find(stream);
      if (found === null) return null;
      const [name, category] = found;
      category.events += 1;
      category.bytes += bytes;
      category.hasOurs ||= isOurs;
      const isMuch = category.events >= MANY_EVENTS || category.bytes >= MANY_BYTES;
      if (category.hasOurs) leftOut.delete(name);
      else if (isMuch && leftOut.size < MOST_LEFT_OUT) leftOut.add(name);
      return category.hasOurs ? null : name;
    },
    names(others = []) {
      const all = [...new Set([...leftOut, ...others])];
      return all.length === 0 ? null : { pattern: `^(?!${all.map(patternOf).join('|')})` };
    },
  };
};
