/** Sets the seed, to see an order again. */
const SEED_VARIABLE = 'EVENTSTORE_DOUBLE_SEED';

/** A generator of numbers from 0 to below 1 (mulberry32), since those of `Math.random` cannot be had again. */
const randomNumbers = (seed: number) => {
  let state = seed;
  return (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

let chosen: number | undefined;

/** The seed of this process; the first call prints it. */
export const processSeed = (): number => {
  if (chosen === undefined) {
    chosen = Number(process.env[SEED_VARIABLE] ?? Math.floor(Math.random() * 2 ** 31));
    process.stderr.write(`EventStoreDB double: ${SEED_VARIABLE}=${chosen}\n`);
  }
  return chosen;
};

/**
 * Makes the order in which writes land that come at once: that of the calls for each stream, and any between streams, as
 * on the real server.
 */
export const createWriteOrder = (seed: number) => {
  const random = randomNumbers(seed);
  return <Item extends { write: { stream: string } }>(items: readonly Item[]): Item[] => {
    const streams = items.map(({ write }) => write.stream);
    for (let last = streams.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [streams[last], streams[other]] = [streams[other] ?? '', streams[last] ?? ''];
    }
    const queues = Map.groupBy(items, ({ write }) => write.stream);
    return streams.flatMap((stream) => queues.get(stream)?.shift() ?? []);
  };
};
