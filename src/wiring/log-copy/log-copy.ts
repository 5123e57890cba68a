import { createHash } from 'node:crypto';
import { canonicalJson } from '../../canonical-json.ts';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { CaughtUp, Log, LogImport } from '../../ports/log.ts';

export type ReadableLog = Pick<Log, 'subscribe' | 'head'>;
export type TargetLog = ReadableLog & LogImport;

/** The target does not hold the same events as the source from its beginning on, so nothing can be copied to it. */
export class LogsDiffer extends Error {
  constructor(problem: string) {
    super(`The logs differ: ${problem}`);
    this.name = 'LogsDiffer';
  }
}

/** The target has only the beginning of the source. Another copy continues from there. */
export class TargetBehind extends Error {
  constructor(events: number, next: string) {
    super(`The target ends after the first ${events} events of the source, before ${next}.`);
    this.name = 'TargetBehind';
  }
}

export interface CopyProgress {
  /** The events of the source that the target has now, those of earlier runs included. */
  events: number;
  /** How many of them this run has copied. */
  copied: number;
  /** The position in the source up to which the copy has come. */
  position: Position | null;
}

export interface CopyOptions {
  from: ReadableLog;
  to: TargetLog;
  /** Events an append to the target, at most. */
  batch: number;
  /** With true, continues with events that are appended to the source meanwhile, until `signal` aborts. */
  follow?: boolean;
  signal?: AbortSignal;
  onProgress?(progress: CopyProgress): void;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
}

/** Of events an append, at first: a slow target is not silent for minutes, and on a fast one it soon grows to `batch`. */
const FIRST_BATCH = 16;
const QUICK_MS = 1000;
const SLOW_MS = 2000;

export interface Comparison {
  events: number;
  streams: number;
  /** SHA-256 over everything but the positions, hex: two logs with the same history have the same one. */
  digest: string;
  /** Positions of the last event that both have; null where there is none. */
  from: Position | null;
  to: Position | null;
}

/** Everything about an event but its position, as equal text for equal data, whichever log it came from. */
const textOf = ({ stream, revision, id, type, version, at, data, meta }: RecordedEvent): string =>
  canonicalJson([stream, revision, id, type, version, at, data, meta]);

const nameOf = ({ stream, revision, id }: RecordedEvent): string => `${stream} ${revision} (${id})`;

const isEvent = (item: RecordedEvent | CaughtUp): item is RecordedEvent => !('caughtUp' in item);

async function* eventsOf(log: ReadableLog): AsyncGenerator<RecordedEvent, undefined> {
  for await (const item of log.subscribe({ after: 'start', live: false })) if (isEvent(item)) yield item;
}

const assertSame = (source: RecordedEvent, target: RecordedEvent): string => {
  const text = textOf(source);
  if (text === textOf(target)) return text;
  const where = `where the source has ${nameOf(source)}, the target has ${nameOf(target)}`;
  throw new LogsDiffer(source.id === target.id ? `${nameOf(source)} is not the same in both.` : `${where}.`);
};

/**
 * Copies the events that the target does not have yet. Those that it has must be the beginning of the source, event by
 * event. A copy that was interrupted at any moment can therefore go on where it ended. Throws `LogsDiffer`.
 */
export const copyLog = async (options: CopyOptions): Promise<CopyProgress> => {
  const { from, to, batch, follow = false, signal, onProgress = () => undefined } = options;
  const { now = () => performance.now() } = options;
  const held = eventsOf(to);
  let holding = true;
  let progress: CopyProgress = { events: 0, copied: 0, position: null };
  let waiting: RecordedEvent[] = [];
  let size = Math.min(batch, FIRST_BATCH);

  const flush = async (): Promise<void> => {
    const start = now();
    await to.importEvents(waiting);
    const took = now() - start;
    if (took < QUICK_MS) size = Math.min(batch, 2 * size);
    else if (took > SLOW_MS) size = Math.max(1, Math.floor(size / 2));
    const { events, copied, position } = progress;
    const last = waiting.at(-1)?.position ?? position;
    progress = { events: events + waiting.length, copied: copied + waiting.length, position: last };
    waiting = [];
    onProgress(progress);
  };

  /** True where the target has the event already. */
  const isHeld = async (event: RecordedEvent): Promise<boolean> => {
    if (!holding) return false;
    const { value: same } = await held.next();
    holding = same !== undefined;
    if (!same) return false;
    assertSame(event, same);
    progress = { ...progress, events: progress.events + 1, position: event.position };
    if (progress.events % batch === 0) onProgress(progress);
    return true;
  };

  try {
    for await (const item of from.subscribe({ after: 'start', live: follow, ...(signal ? { signal } : {}) })) {
      if (!isEvent(item)) {
        const { value: more } = holding ? await held.next() : { value: undefined };
        if (more) throw new LogsDiffer(`the target has ${nameOf(more)}, which is not in the source.`);
        holding = false;
        if (waiting.length > 0) await flush();
      } else if (!(await isHeld(item)) && waiting.push(item) >= size) await flush();
    }
  } finally {
    await held.return(undefined);
  }
  if (waiting.length > 0) await flush();
  return progress;
};

/**
 * Reads both logs side by side, up to the end that the source has now. `onPair` gets the positions of each event in
 * both, and is awaited. Throws `LogsDiffer` at the first event that is not the same or that only the target has, and
 * `TargetBehind` at the first one that only the source has.
 */
export const compareLogs = async (
  { from, to }: { from: ReadableLog; to: ReadableLog },
  onPair: (from: Position, to: Position) => Promise<void> | void = () => undefined,
): Promise<Comparison> => {
  const hash = createHash('sha256');
  const theirs = eventsOf(to);
  const comparison: Omit<Comparison, 'digest'> = { events: 0, streams: 0, from: null, to: null };
  try {
    for await (const source of eventsOf(from)) {
      const { value: target } = await theirs.next();
      if (!target) throw new TargetBehind(comparison.events, nameOf(source));
      hash.update(`${assertSame(source, target)}\n`);
      comparison.events += 1;
      if (source.revision === 0) comparison.streams += 1;
      comparison.from = source.position;
      comparison.to = target.position;
      await onPair(source.position, target.position);
    }
    const { value: more } = await theirs.next();
    if (more) throw new LogsDiffer(`the target has ${nameOf(more)}, which is not in the source.`);
  } finally {
    await theirs.return(undefined);
  }
  return { ...comparison, digest: hash.digest('hex') };
};

/**
 * The part of the way to another position of the same log, from 0 to 1, for an estimate of the time left. Positions are
 * opaque; all that is used here is that they grow with the log.
 */
export const fractionOf = (position: Position, end: Position): number => {
  const numberOf = (text: string): number => {
    const [first = '0'] = text.split(/[_-]/);
    return first === text ? Number(text) : Number.parseInt(first, 16);
  };
  const fraction = numberOf(position) / numberOf(end);
  return Number.isFinite(fraction) ? Math.min(1, fraction) : 0;
};
