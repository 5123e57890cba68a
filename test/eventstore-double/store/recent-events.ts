/** Where an event id was written lately. */
interface Place {
  stream: string;
  revision: number;
}

/** What the real server spends on an entry, so that ours forgets at about the same time. */
const costOf = ({ stream }: Place): number => 28 + 2 * stream.length;

/**
 * The ids of the events written lately. The real server keeps them in memory only, within 8 MiB, so a write with
 * `any` or `stream_exists` is recognised as a repeat for some ten thousands of events and not after a restart.
 */
export const createRecentEvents = (limitBytes: number) => {
  const places = new Map<string, Place>();
  let bytes = 0;

  const forgetOldest = (): void => {
    for (const [id, place] of places) {
      if (bytes <= limitBytes) return;
      places.delete(id);
      bytes -= costOf(place);
    }
  };

  return {
    remember(id: string, place: Place): void {
      if (places.has(id)) return;
      places.set(id, place);
      bytes += costOf(place);
      forgetOldest();
    },
    find: (id: string): Place | undefined => places.get(id),
    clear(): void {
      places.clear();
      bytes = 0;
    },
  };
};

export type RecentEvents = ReturnType<typeof createRecentEvents>;
