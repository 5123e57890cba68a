import type { EventLog } from './event-log.ts';
import type { StoredEvent } from './stored-event.ts';

/** What is read, by place: `$all` or one stream, as far as it is visible. */
export interface EventSequence {
  length(): number;
  at(place: number): StoredEvent | undefined;
}

export const allEvents = (log: EventLog): EventSequence => ({
  length: log.visible,
  at: log.event,
});

/** Revisions have no gaps, so the place of an event in its stream is its revision. */
export const eventsOfStream = (log: EventLog, stream: string): EventSequence => ({
  length() {
    const indices = log.indicesOf(stream);
    let length = indices.length;
    while (length > 0 && (indices[length - 1] ?? 0) >= log.visible()) length -= 1;
    return length;
  },
  at: (place) => log.event(log.indicesOf(stream)[place] ?? -1),
});
