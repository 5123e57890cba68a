/**
 * For how long each subject has been silent, by the clock that only goes forward: a clock that is set changes nothing. Only
 * the time counts during which somebody listened.
 */
export interface Silence {
  /** Begins to listen to a subject, whose last proof is that old; null where nothing is known of it. */
  adopt(id: string, age_ms: number | null): void;
  heard(id: string): void;
  /** Nobody listened for so long: that is nobody's silence. */
  excuse(ms: number): void;
  isSilent(id: string): boolean;
  /** Forgets all others. */
  keepOnly(ids: ReadonlySet<string>): void;
}

export interface SilenceOptions {
  /** A subject is silent after that long without a proof. */
  silence_ms: number;
  /** What a subject has at least after a start, however old its last proof is. */
  grace_ms: number;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

export const createSilence = ({ silence_ms, grace_ms, now = () => performance.now() }: SilenceOptions): Silence => {
  const last = new Map<string, number>();
  const oldest = Math.max(0, silence_ms - grace_ms);
  return {
    adopt(id, age_ms) {
      if (last.has(id)) return;
      last.set(id, now() - Math.min(Math.max(0, age_ms ?? 0), oldest));
    },
    heard: (id) => void last.set(id, now()),
    excuse(ms) {
      for (const [id, at] of last) last.set(id, Math.min(now(), at + ms));
    },
    isSilent: (id) => now() - (last.get(id) ?? now()) >= silence_ms,
    keepOnly(ids) {
      for (const id of last.keys()) if (!ids.has(id)) last.delete(id);
    },
  };
};
