import type { ExpectedRevision } from '../errors.ts';
import type { NewEvent, Position, RecordedEvent } from '../events/event.ts';
import type { EventId } from '../events/ids.ts';
import type { Closable } from './closable.ts';

export interface Appended {
  /** Revision of the last event of the append. */
  revision: number;
  /** Position of the last event of the append. */
  position: Position;
  /** The time of the append, which its events have as `at`. */
  at: string;
}

/**
 * Comes between events: the reader has received all events up to the log's end. `position` may be persisted even where
 * no event up to it passed the filter.
 */
export interface CaughtUp {
  caughtUp: true;
  position: Position | null;
  /** The id of the event at `position`; absent where the log did not see it. */
  event_id?: EventId;
}

/**
 * What is at a position of the log: an event (of any system that writes there), with its id; none, since it was removed;
 * the inside of another record, as in a log of another history; or nothing yet.
 */
export type Standing = { id: string } | 'none' | 'inside-another' | 'beyond-end';

/** What a reader wants: events that fit `types` and, where streams are named in either way, the streams. */
export interface LogFilter {
  /** Only these event types. */
  types?: readonly string[];
  /** Only streams whose name starts with one of these, for example `endpoint-`; and those of `streams`. */
  streamPrefixes?: readonly string[];
  /** Only these streams; and those of `streamPrefixes`. */
  streams?: readonly string[];
  /** Events of these types too, whatever their stream. */
  typesOfAnyStream?: readonly string[];
}

export interface SubscribeOptions {
  after: Position | 'start';
  /**
   * The id of the event at `after`, or its first digits. Where another event is there, or none, the subscription throws
   * `Rejected` `invalid`, code `unknown-position`: the reader would go on in a history that is not the one it has read.
   */
  after_id?: string | undefined;
  filter?: LogFilter;
  /** true: continues after `CaughtUp` until aborted. false: ends after `CaughtUp`. */
  live: boolean;
  signal?: AbortSignal;
}

export interface ReadStreamOptions {
  from?: number;
  to?: number;
  backwards?: boolean;
  limit?: number;
  /**
   * `is-refused`: where the stream had events once and somebody has deleted it, this throws `history-damaged`, at the
   * price of a second look where there are none. Default: such a stream is empty.
   */
  deleted?: 'is-empty' | 'is-refused';
}

/** The append-only log. `test/contract/log.ts` specifies what every adapter must do. */
export interface Log extends Closable {
  /**
   * Appends all events or none. A repeated append of events whose ids are in the stream already returns the first
   * answer and adds nothing; one with only some of them is refused. A repeat names the expected revision of the first
   * append, or 'any' or 'exists'. An adapter may refuse ids that are in another stream; EventStoreDB does not compare
   * those. Throws `WrongExpectedRevision` (with the actual one) and, where the log cannot be reached in time,
   * `Rejected` of kind `unavailable`.
   */
  append(stream: string, events: readonly NewEvent[], options: { expected: ExpectedRevision }): Promise<Appended>;
  /**
   * Reads a stream in order, or backwards; a stream that does not exist is empty. Throws `Rejected` `history-damaged`
   * where events that were there have been cut off or deleted for good, which BudApp never does.
   */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>;
  /** Reads the log. Ends only when not live and caught up, when `signal` aborts, or by throwing. */
  subscribe(options: SubscribeOptions): AsyncIterable<RecordedEvent | CaughtUp>;
  /** Position of the newest event; null while the log is empty. */
  head(): Promise<Position | null>;
  /** What is at a position. Throws `Rejected` `invalid`, code `unknown-position`, for one that no such log can have. */
  eventAt(position: Position): Promise<Standing>;
}

/** A log that can import the history of another one; `test/contract/log-import.ts` specifies it. */
export interface LogImport {
  /**
   * Appends events of another log in this order, each with its id, stream, revision and time there; only the positions
   * are new. Resolves when all are stored; where it throws, a prefix of them may be. No event is ever added twice.
   * Throws `WrongExpectedRevision` where the revision of an event does not continue its stream.
   */
  importEvents(events: readonly RecordedEvent[]): Promise<void>;
}
