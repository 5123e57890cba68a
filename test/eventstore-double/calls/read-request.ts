import type streams from '@eventstore/db-client/generated/streams_pb.js';
import { streamNameOf } from '../store/stored-event.ts';
import { type EventFilter, eventFilter } from './event-filter.ts';

/** A revision or, of `$all`, a commit position. */
export type From = 'start' | 'end' | number;

export interface ReadRequest {
  /** Undefined: `$all`. */
  stream: string | undefined;
  from: From;
  backwards: boolean;
  /** Undefined: a subscription. */
  count: number | undefined;
  filter: EventFilter | undefined;
  structuredIds: boolean;
  /** Whether a link is sent with the event that it leads to. */
  resolveLinks: boolean;
}

const fromOf = (options: streams.ReadReq.Options): From => {
  const [stream, all] = [options.getStream(), options.getAll()];
  if (stream?.hasRevision() === true) return Number(stream.getRevision());
  if (all?.hasPosition() === true) return Number(all.getPosition()?.getCommitPosition());
  return stream?.hasEnd() === true || all?.hasEnd() === true ? 'end' : 'start';
};

/** Throws `RangeError` where the combination makes no sense. */
export const readRequest = (message: streams.ReadReq): ReadRequest => {
  const options = message.getOptions();
  if (options === undefined || !(options.hasStream() || options.hasAll())) throw new RangeError('nothing to read');
  const filter = options.getFilter();
  const request: ReadRequest = {
    stream: options.hasStream() ? streamNameOf(options.getStream()?.getStreamIdentifier()) : undefined,
    from: fromOf(options),
    backwards: options.getReadDirection() === 1,
    count: options.hasSubscription() ? undefined : Number(options.getCount()),
    filter: filter === undefined ? undefined : eventFilter(filter),
    structuredIds: options.getUuidOption()?.hasString() !== true,
    resolveLinks: options.getResolveLinks(),
  };
  if (request.filter !== undefined && request.stream !== undefined) throw new RangeError('only $all can be filtered');
  if (request.count === 0) throw new RangeError('no events are asked for');
  if (Number(options.getAll()?.getPosition()?.getPreparePosition() ?? 0) > Number(request.from))
    throw new RangeError('a commit position is not below its prepare position');
  if (request.count === undefined && request.backwards) throw new RangeError('no subscription goes backwards');
  return request;
};
