import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { StoredEvent } from '../store/stored-event.ts';

/** How many events the real server considers at a time where the client names no window. */
export const DEFAULT_WINDOW = 32;

export interface EventFilter {
  matches(event: StoredEvent): boolean;
  /** How many events are considered at a time. */
  window: number;
  /** After so many considered events a subscription gets a checkpoint. */
  checkpointInterval: number;
}

type FilterOptions = streams.ReadReq.Options.FilterOptions;

const matcher = (expression: streams.ReadReq.Options.FilterOptions.Expression): ((text: string) => boolean) => {
  const regex = expression.getRegex();
  if (regex !== '') {
    // The real server's are those of .NET; what filters need is the same there.
    const pattern = new RegExp(regex);
    return (text) => pattern.test(text);
  }
  const prefixes = expression.getPrefixList();
  return (text) => prefixes.some((prefix) => text.startsWith(prefix));
};

export const eventFilter = (options: FilterOptions): EventFilter => {
  const [byStream, byType] = [options.getStreamIdentifier(), options.getEventType()];
  const expression = byStream ?? byType;
  if (expression === undefined) throw new RangeError('a filter needs a stream name or an event type');
  const matches = matcher(expression);
  const window = options.hasMax() ? options.getMax() : DEFAULT_WINDOW;
  return {
    matches: ({ stream, type }) => matches(byStream === undefined ? type : stream),
    window,
    checkpointInterval: window * Math.max(1, options.getCheckpointintervalmultiplier()),
  };
};
