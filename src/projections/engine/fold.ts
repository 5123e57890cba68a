import type { RecordedEvent } from '../../events/event.ts';
import { concerns, type ReadModel, type Row } from '../read-model.ts';

/** The first event of a stream that the read model cannot handle, and how many events of the stream come after it. */
export interface Failure {
  event: RecordedEvent;
  error: unknown;
  waiting: number;
}

export interface Folded {
  rows: readonly Row[];
  failures: readonly Failure[];
}

/** Groups the events that concern the read model by stream, in the order of the log. */
export const byStream = (model: ReadModel, events: readonly RecordedEvent[]): Map<string, RecordedEvent[]> => {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of events) {
    if (!concerns(model, event)) continue;
    const stream = streams.get(event.stream);
    if (stream) stream.push(event);
    else streams.set(event.stream, [event]);
  }
  return streams;
};

type Rows = ReadonlyMap<string, Row>;

const take = (model: ReadModel, rows: Map<string, Row>, event: RecordedEvent): Row | null => {
  const key = model.keyOf(event);
  const row = model.next(rows.get(key) ?? null, event);
  if (row) rows.set(key, row);
  return row;
};

/** Validates only the final rows, since the ones in between are never stored. */
const foldFast = (model: ReadModel, before: Rows, events: readonly RecordedEvent[]): Row[] => {
  const rows = new Map(before);
  for (const event of events) take(model, rows, event);
  const keys = new Set(events.map((event) => model.keyOf(event)));
  return [...keys].flatMap((key) => {
    const row = rows.get(key);
    return row ? [model.check(row)] : [];
  });
};

/** Validates after each event, to find the one that fails; the rows before it are kept. */
const foldToFailure = (model: ReadModel, before: Rows, events: readonly RecordedEvent[]): Folded => {
  const rows = new Map(before);
  const changed = new Map<string, Row>();
  for (const [index, event] of events.entries()) {
    try {
      const row = take(model, rows, event);
      if (row) changed.set(model.keyOf(event), model.check(row));
    } catch (error) {
      return { rows: [...changed.values()], failures: [{ event, error, waiting: events.length - index - 1 }] };
    }
  }
  return { rows: [...changed.values()], failures: [] };
};

const rowsOf = (model: ReadModel, loaded: Rows, events: readonly RecordedEvent[]): Rows => {
  const [first] = events;
  if (!first || !model.changesRows) return new Map();
  const key = model.keyOf(first);
  const row = loaded.get(key);
  return row ? new Map([[key, row]]) : new Map();
};

/** Pure. Folds the events of one stream, up to the first event that fails. */
export const foldStream = (model: ReadModel, loaded: Rows, events: readonly RecordedEvent[]): Folded => {
  const before = rowsOf(model, loaded, events);
  try {
    return { rows: foldFast(model, before, events), failures: [] };
  } catch {
    // The error is dropped on purpose: folding one by one finds the failing event and throws it again.
    return foldToFailure(model, before, events);
  }
};

/** Pure. Folds the events of many streams. A stream that fails does not affect the others. */
export const foldStreams = (
  model: ReadModel,
  loaded: Rows,
  streams: ReadonlyMap<string, readonly RecordedEvent[]>,
): Folded => {
  const rows: Row[] = [];
  const failures: Failure[] = [];
  for (const events of streams.values()) {
    const folded = foldStream(model, loaded, events);
    rows.push(...folded.rows);
    failures.push(...folded.failures);
  }
  return { rows, failures };
};
