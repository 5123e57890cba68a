import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Node } from '../node.ts';
import type { EventLog } from '../store/event-log.ts';
import { allEvents, type EventSequence, eventsOfStream } from '../store/event-sequence.ts';
import { messageFor, type StoredEvent } from '../store/stored-event.ts';
import { linked } from './link.ts';
import type { Outlet } from './outlet.ts';
import type { ReadRequest } from './read-request.ts';
import { invalidPosition, streamDeleted } from './rpc-errors.ts';

/** The places to read, in the order of reading: from `first`, `step` by `step`, while not past `last`. */
interface Places {
  sequence: EventSequence;
  first: number;
  last: number;
  step: 1 | -1;
}

/** What a read or subscription sends for an event. */
export const messageOf = (log: EventLog, event: StoredEvent, { structuredIds, resolveLinks }: ReadRequest): Buffer =>
  messageFor(event, { structuredIds, target: resolveLinks ? linked(log, event) : undefined });

/** A position is the start of a record, or the log is not as the client thinks. Behind the newest event all are fine. */
export const isValidPosition = (log: EventLog, position: number): boolean => {
  const index = log.indexAt(position);
  return index >= log.visible() || log.event(index)?.position === position || position === 0;
};

const placesInStream = (log: EventLog, stream: string, { from, backwards }: ReadRequest): Places => {
  const sequence = eventsOfStream(log, stream);
  const newest = sequence.length() - 1;
  const oldest = Math.min(log.firstShown(stream), newest + 1);
  if (backwards) {
    const first = from === 'end' ? newest : Math.min(from === 'start' ? 0 : from, newest);
    return { sequence, first, last: oldest, step: -1 };
  }
  const first = from === 'end' ? newest + 1 : Math.max(from === 'start' ? 0 : from, oldest);
  return { sequence, first, last: newest, step: 1 };
};

/** Forwards the event at the position is read, backwards those before it: as the real server does. */
const placesInAll = (log: EventLog, { from, backwards }: ReadRequest): Places => {
  const place = from === 'start' ? 0 : from === 'end' ? log.visible() : log.indexAt(from);
  const sequence = allEvents(log);
  return backwards
    ? { sequence, first: place - 1, last: 0, step: -1 }
    : { sequence, first: place, last: log.visible() - 1, step: 1 };
};

const streamNotFound = (stream: string): Buffer => {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));
  const notFound = new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifier);
  return Buffer.from(new streams.ReadResp().setStreamNotFound(notFound).serializeBinary());
};

const sendEvents = async (node: Node, outlet: Outlet, request: ReadRequest, places: Places): Promise<void> => {
  const { sequence, last, step } = places;
  const filter = request.filter;
  let left = request.count ?? 0;
  for (let place = places.first; left > 0 && (step > 0 ? place <= last : place >= last); place += step) {
    const event = sequence.at(place);
    if (event === undefined || !outlet.isOpen()) break;
    if (filter !== undefined && !filter.matches(event)) continue;
    const message = messageOf(node.store.log, event, request);
    const pause = node.faults.pause(message.length);
    if (pause !== undefined) await pause;
    if (!outlet.write(message)) await outlet.ready();
    left -= 1;
  }
};

/** A read of what is there now: it ends. */
export const read = async (node: Node, outlet: Outlet, request: ReadRequest): Promise<void> => {
  const { log } = node.store;
  const { stream, from } = request;
  if (stream !== undefined && log.revisionOf(stream) === Infinity) return outlet.fail(streamDeleted(stream));
  if (stream === undefined && typeof from === 'number' && !isValidPosition(log, from))
    return outlet.fail(invalidPosition());
  if (stream !== undefined && (log.revisionOf(stream) < 0 || log.isDeleted(stream)))
    outlet.write(streamNotFound(stream));
  else
    await sendEvents(
      node,
      outlet,
      request,
      stream === undefined ? placesInAll(log, request) : placesInStream(log, stream, request),
    );
  outlet.end();
};
