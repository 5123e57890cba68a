import { setTimeout as delay } from 'node:timers/promises';
import { createSlowLink } from './slow-link.ts';

/**
 * What happens to a call instead of its answer.
 * `mute`: never anything. `drop`: its connection is cut. `end`: it ends plainly without its answer; where the protocol has
 * no such end (`Append`, deletions), it is cancelled. `not-leader`, `not-ready`: it fails as on such a node.
 */
export type FaultKind = 'mute' | 'drop' | 'end' | 'not-leader' | 'not-ready';

/**
 * Appends are deletions, too. A subscription that is opened counts as `subscription`, not as `read`. `features`: the question
 * for version and methods, with which the client begins.
 */
export type FaultyCall = 'append' | 'read' | 'subscription' | 'features';

export interface Fault {
  kind: FaultKind;
  /** Of an append: true where it is written before the fault strikes. */
  written: boolean;
  /** Runs at the moment of the fault, before it shows: for example the election that is the cause of it. */
  meanwhile?: (() => void | Promise<void>) | undefined;
}

export interface FaultOptions {
  /** How many calls it strikes; all from now on where it is left out. */
  times?: number;
  written?: boolean;
  meanwhile?: () => void | Promise<void>;
}

/** The switches for what shall go wrong. */
export const createFaults = () => {
  const injected = new Map<FaultyCall, { fault: Fault; left: number }>();
  const link = createSlowLink();
  let pauseMs = 0;
  let stalled: PromiseWithResolvers<void> | undefined;

  return {
    /** The next calls of this sort fail; an earlier fault for them is forgotten. */
    inject(
      call: FaultyCall,
      kind: FaultKind,
      { times = Infinity, written = false, meanwhile }: FaultOptions = {},
    ): void {
      injected.set(call, { fault: { kind, written, meanwhile }, left: times });
    },
    /** Every answer, and every event of a read or subscription, comes this much later. */
    slowDown(milliseconds: number): void {
      pauseMs = milliseconds;
    },
    /** All reads and subscriptions together send no more than this; a message is there whole or not at all. */
    limitBandwidth: link.limit,
    /** Running subscriptions stay open and deliver nothing until `clear`. */
    stallSubscriptions(): void {
      stalled ??= Promise.withResolvers();
    },
    /** All is well again for what comes from now on; what was muted stays mute. */
    clear(): void {
      injected.clear();
      pauseMs = 0;
      link.unlimit();
      stalled?.resolve();
      stalled = undefined;
    },
    /** For the services: the fault that strikes this call. */
    take(call: FaultyCall): Fault | undefined {
      const entry = injected.get(call);
      if (entry === undefined) return undefined;
      entry.left -= 1;
      if (entry.left <= 0) injected.delete(call);
      return entry.fault;
    },
    /** For the services: undefined where nothing is slow or stalled, so that nobody waits for nothing. */
    pause(bytes = 0): Promise<void> | undefined {
      const sent = link.send(bytes);
      return pauseMs > 0 ? delay(pauseMs).then(() => sent) : sent;
    },
    stall: (): Promise<void> | undefined => stalled?.promise,
  };
};

export type Faults = ReturnType<typeof createFaults>;
