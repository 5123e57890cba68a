import type { RecordedEvent } from '../events/event.ts';
import type { LogFilter } from '../ports/log.ts';

/** Whether an event passes the filter, for what has been read already; the log in Postgres asks its server the same. */
export const createLogFilter = (filter: LogFilter | undefined): ((event: RecordedEvent) => boolean) => {
  if (filter === undefined) return () => true;
  const { streamPrefixes } = filter;
  const types = filter.types && new Set(filter.types);
  const streams = filter.streams && new Set(filter.streams);
  const anyStream = new Set(filter.typesOfAnyStream);
  const isNamed = (stream: string): boolean =>
    (streamPrefixes === undefined && streams === undefined) ||
    (streams?.has(stream) ?? false) ||
    (streamPrefixes?.some((prefix) => stream.startsWith(prefix)) ?? false);
  return ({ type, stream }) => anyStream.has(type) || ((types?.has(type) ?? true) && isNamed(stream));
};

export const filtered = (events: readonly RecordedEvent[], filter: LogFilter | undefined): readonly RecordedEvent[] =>
  filter ? events.filter(createLogFilter(filter)) : events;
