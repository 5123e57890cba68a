export interface ProbeTiming {
  /** Pause between two questions. */
  interval_ms: number;
  /** How long an answer may take. */
  timeout_ms: number;
  /** So many missed answers in a row, and nobody waits for it any longer. */
  missed_until_lost: number;
  /** So many, and the process is killed. */
  missed_until_killed: number;
}

/**
 * A replica that does not answer is the last choice after at most 3 s, out of the rotation after 6 s, and killed after 16 s.
 * An engine answers while it computes, so this is short; a machine that is busy for some seconds must not cost a replica.
 */
export const PROBE: ProbeTiming = {
  interval_ms: 1_000,
  timeout_ms: 2_000,
  missed_until_lost: 2,
  missed_until_killed: 5,
};

export interface Probe {
  /** Asks at once, where no question is open. */
  ask(): void;
  stop(): void;
}

/** Asks until it is stopped. `isAlive` never rejects; `onMissed` gets the number of missed answers in a row. */
export const startProbe = (options: {
  isAlive: (signal: AbortSignal) => Promise<boolean>;
  timing: ProbeTiming;
  onAnswer: () => void;
  onMissed: (missed: number) => void;
}): Probe => {
  const { isAlive, timing, onAnswer, onMissed } = options;
  const stopped = new AbortController();
  let missed = 0;
  let isOpen = false;
  const ask = async () => {
    if (isOpen) return;
    isOpen = true;
    const alive = await isAlive(AbortSignal.any([stopped.signal, AbortSignal.timeout(timing.timeout_ms)]));
    isOpen = false;
    if (stopped.signal.aborted) return;
    missed = alive ? 0 : missed + 1;
    if (alive) onAnswer();
    else onMissed(missed);
  };
  const timer = setInterval(() => void ask(), timing.interval_ms).unref();
  return {
    ask: () => void ask(),
    stop() {
      clearInterval(timer);
      stopped.abort();
    },
  };
};
