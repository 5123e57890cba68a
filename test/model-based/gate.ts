import type { Log } from '../../src/ports/log.ts';

/** Thrown where BudApp's process ends; every further write of the same life is refused with it, too. */
export class Crashed extends Error {
  constructor() {
    super('BudApp was killed');
    this.name = 'Crashed';
  }
}

/** Every write of BudApp passes here, so that it can be killed before any of them. */
export const createGate = () => {
  let writesLeft: number | null = null;
  let isDown = false;
  return {
    /** Throws `Crashed` where BudApp ends before this write. */
    pass(): void {
      if (writesLeft !== null) {
        writesLeft -= 1;
        if (writesLeft < 0) isDown = true;
      }
      if (isDown) throw new Crashed();
    },
    /** BudApp ends after so many further writes. */
    killAfter(writes: number): void {
      writesLeft = writes;
    },
    isDown: (): boolean => isDown,
    restart(): void {
      isDown = false;
      writesLeft = null;
    },
  };
};
export type Gate = ReturnType<typeof createGate>;

/** The log as BudApp's process sees it: appends pass the gate. What was appended stays. */
export const gatedLog = (log: Log, gate: Gate): Log => ({
  ...log,
  append: async (stream, events, options) => {
    gate.pass();
    return log.append(stream, events, options);
  },
});
