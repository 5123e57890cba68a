import type { ExpectedRevision } from '../errors.ts';
import type { NewEvent, Position, RecordedEvent } from '../events/event.ts';
import type { Closable } from './closable.ts';

export interface Appended {
  /** Revision of the last event of the append. */
  revision: number;
  /** Position of the last event of the append. */
  position: Position;
  /** The time of the append, as its events bear it. */
  at: string;
}

/** In band: the reader has handled all there was; `position` may be persisted even if no event of it passed the filter. */
export interface CaughtUp {
  caughtUp: true;
  position: Position | null;
}

export interface LogFilter {
  /** Only these event types. */
  types?: readonly string[];
  /** Only streams whose name starts with one of these, for example `endpoint-`. */
  streamPrefixes?: readonly string[];
}

export interface SubscribeOptions {
  after: Position | 'start';
  filter?: LogFilter;
  /** true: goes on after `CaughtUp` until aborted. false: ends after `CaughtUp`. */
  live: boolean;
  signal?: AbortSignal;
}

export interface ReadStreamOptions {
  from?: number;
  to?: number;
  backwards?: boolean;
  limit?: number;
}

/** The append-only log. `test/contract/log.ts` says what every adapter must do. */
export interface Log extends Closable {
  /**
   * All events or none. Appending events whose ids already stand in the stream answers as the first time did and adds
   * nothing; where only some of them do it is refused. A repeat names the expected revision of the first time, or 'any' or
   * 'exists'. Whether ids that stand in another stream are refused is up to the adapter: EventStoreDB knows no ids but a
   * stream's own. Throws `WrongExpectedRevision` (with the actual one) and, where the log cannot be reached in time,
   * `Rejected` of kind `unavailable`.
   */
  append(stream: string, events: readonly NewEvent[], options: { expected: ExpectedRevision }): Promise<Appended>;
  /** In order, or backwards; a stream that does not exist is empty. */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>;
  /** Never ends in silence: ends when not live and caught up, when `signal` aborts, or by throwing. */
  subscribe(options: SubscribeOptions): AsyncIterable<RecordedEvent | CaughtUp>;
  /** Position of the newest event; null while the log is empty. */
  head(): Promise<Position | null>;
}

/** A log that can take over the history of another one; `test/contract/log-import.ts` says what that means. */
export interface LogImport {
  /**
   * Appends events of another log in this order, each with the id, stream, revision and time that it has there; only the
   * positions are new. Resolves when all of them are kept; where it throws, an unbroken beginning of them may be. Nothing
   * is ever added twice. Throws `WrongExpectedRevision` where a stream does not go on at the revision of its next event.
   */
  importEvents(events: readonly RecordedEvent[]): Promise<void>;
}
