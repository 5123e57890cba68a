import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Position } from '../../events/event.ts';
import type { LogFilter } from '../../ports/log.ts';
import { toServerPosition } from './row.ts';

const { ReadReq } = streams;
const { Options } = ReadReq;
type Request = InstanceType<typeof ReadReq>;
type RequestOptions = InstanceType<typeof Options>;

/** Streams by their names: those that begin with one of the prefixes, or that match the pattern. */
export type StreamNames = { prefixes: readonly string[] } | { pattern: string };

/** The server compares the name of every event with all of them. */
const MOST_PREFIXES = 100;

/** The streams that a reader wants, with more at most; null where the server cannot tell them. */
export const namesIn = ({ streamPrefixes, streams, typesOfAnyStream }: LogFilter = {}): StreamNames | null => {
  const prefixes = [...(streamPrefixes ?? []), ...(streams ?? [])];
  const isOfAnyStream = (streamPrefixes === undefined && streams === undefined) || typesOfAnyStream !== undefined;
  return isOfAnyStream || prefixes.length === 0 || prefixes.length > MOST_PREFIXES ? null : { prefixes };
};

/** How many events the server looks at before it reports by a checkpoint how far it is. */
const WINDOW = 1000;

const requestOf = (options: RequestOptions): Request =>
  new ReadReq().setOptions(options.setUuidOption(new Options.UUIDOption().setString(new shared.Empty())));

const setFilter = (options: RequestOptions, names: StreamNames | null): RequestOptions => {
  if (names === null) return options.setNoFilter(new shared.Empty());
  const expression = new Options.FilterOptions.Expression();
  if ('pattern' in names) expression.setRegex(names.pattern);
  else expression.setPrefixList([...names.prefixes]);
  return options.setFilter(
    new Options.FilterOptions().setStreamIdentifier(expression).setMax(WINDOW).setCheckpointintervalmultiplier(1),
  );
};

const allFrom = (from: Position | 'start' | 'end') => {
  const all = new Options.AllOptions();
  if (from === 'start') return all.setStart(new shared.Empty());
  if (from === 'end') return all.setEnd(new shared.Empty());
  const { commit, prepare } = toServerPosition(from);
  const position = new Options.Position().setCommitPosition(String(commit)).setPreparePosition(String(prepare));
  return all.setPosition(position);
};

/** Reads `count` events of all streams: forwards with the one at `from`, backwards those before it. */
export const readAllRequest = ({
  from,
  backwards,
  count,
  names,
}: {
  from: Position | 'start' | 'end';
  backwards: boolean;
  count: number;
  /** Null: every stream. */
  names: StreamNames | null;
}): Request =>
  requestOf(
    setFilter(new Options(), names)
      .setAll(allFrom(from))
      .setReadDirection(backwards ? 1 : 0)
      .setCount(String(count)),
  );

/** Subscribes to all streams: to the events after `after`. */
export const subscribeRequest = (after: Position | 'start' | 'end', names: StreamNames | null): Request =>
  requestOf(setFilter(new Options(), names).setAll(allFrom(after)).setSubscription(new Options.SubscriptionOptions()));

/** Reads `count` events of a stream, with the one at `from`. */
export const readStreamRequest = (
  stream: string,
  { from, backwards, count }: { from: number | 'end'; backwards: boolean; count: number },
): Request => {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));
  const place = new Options.StreamOptions().setStreamIdentifier(identifier);
  if (from === 'end') place.setEnd(new shared.Empty());
  else place.setRevision(String(from));
  return requestOf(
    new Options()
      .setNoFilter(new shared.Empty())
      .setStream(place)
      .setReadDirection(backwards ? 1 : 0)
      .setCount(String(count)),
  );
};
