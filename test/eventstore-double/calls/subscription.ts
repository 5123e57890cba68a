import { randomUUID } from 'node:crypto';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Node } from '../node.ts';
import { allEvents, type EventSequence, eventsOfStream } from '../store/event-sequence.ts';
import type { StoredEvent } from '../store/stored-event.ts';
import { DEFAULT_WINDOW } from './event-filter.ts';
import type { Outlet } from './outlet.ts';
import { isValidPosition, messageOf } from './read.ts';
import type { ReadRequest } from './read-request.ts';
import { invalidPosition, streamDeleted } from './rpc-errors.ts';

/** So many live events wait for a slow client; with more, the real server, too, goes back to catching up. */
const LIVE_CAPACITY = 64;

const CAUGHT_UP = Buffer.from(new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()).serializeBinary());
const FELL_BEHIND = Buffer.from(
  new streams.ReadResp().setFellBehind(new streams.ReadResp.FellBehind()).serializeBinary(),
);

const confirmation = (): Buffer =>
  Buffer.from(
    new streams.ReadResp()
      .setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(randomUUID()))
      .serializeBinary(),
  );

const checkpointAt = (position: number): Buffer => {
  const checkpoint = new streams.ReadResp.Checkpoint()
    .setCommitPosition(String(position))
    .setPreparePosition(String(position));
  return Buffer.from(new streams.ReadResp().setCheckpoint(checkpoint).serializeBinary());
};

/** Where a subscription begins: behind the position or revision that the client names. */
const start = ({ store: { log } }: Node, { stream, from }: ReadRequest): { sequence: EventSequence; place: number } => {
  const sequence = stream === undefined ? allEvents(log) : eventsOfStream(log, stream);
  if (from === 'end') return { sequence, place: sequence.length() };
  const shown = stream === undefined ? 0 : Math.min(log.firstShown(stream), sequence.length());
  if (from === 'start') return { sequence, place: shown };
  if (stream !== undefined) return { sequence, place: Math.max(from + 1, shown) };
  const index = log.indexAt(from);
  return { sequence, place: log.event(index)?.position === from ? index + 1 : index };
};

interface Progress {
  sequence: EventSequence;
  /** Of the next event. */
  place: number;
  /** Events up to here were sent or need no sending; checkpoints only grow. */
  checkpoint: number;
  sentCheckpoint: number;
  /** Considered events since the last checkpoint. */
  considered: number;
}

/** One subscription, from its confirmation until the client goes. */
const createDelivery = (node: Node, outlet: Outlet, request: ReadRequest) => {
  const { filter, from } = request;
  /** A client may name a position that no event has yet: it then gets nothing up to there, without any error. */
  const after = typeof from === 'number' ? from : -1;
  const progress: Progress = { ...start(node, request), checkpoint: after, sentCheckpoint: -1, considered: 0 };

  const send = async (message: Buffer): Promise<void> => {
    const wait = node.faults.stall() ?? node.faults.pause(message.length);
    if (wait !== undefined) await wait;
    if (!outlet.write(message)) await outlet.ready();
  };

  const sendCheckpoint = async (): Promise<void> => {
    if (filter === undefined || progress.checkpoint <= progress.sentCheckpoint) return;
    progress.sentCheckpoint = progress.checkpoint;
    await send(checkpointAt(progress.checkpoint));
  };

  /** Undefined where there is nothing to wait for, to spare a turn of the event loop for each event. */
  const deliver = (event: StoredEvent): Promise<void> | undefined => {
    progress.place += 1;
    progress.considered += 1;
    if (request.stream === undefined && event.position <= after) return undefined;
    if (filter !== undefined && !filter.matches(event)) return undefined;
    progress.checkpoint = event.position;
    return send(messageOf(node.store.log, event, request));
  };

  /** Page by page up to the newest event; ends with a checkpoint at the begin of the last page at least. */
  const catchUp = async (): Promise<void> => {
    progress.considered = 0;
    let pageBegin = progress.checkpoint;
    while (outlet.isOpen()) {
      const event = progress.sequence.at(progress.place);
      if (event === undefined || progress.place >= progress.sequence.length()) break;
      if (progress.considered % (filter?.window ?? DEFAULT_WINDOW) === 0) pageBegin = event.position;
      await deliver(event);
      if (filter === undefined || progress.considered % filter.checkpointInterval !== 0) continue;
      progress.checkpoint = Math.max(progress.checkpoint, pageBegin);
      await sendCheckpoint();
    }
    progress.checkpoint = Math.max(progress.checkpoint, pageBegin);
    await sendCheckpoint();
  };

  /** Resolves once there is a new event, or the client has gone. */
  const newEvent = (): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        stop();
        outlet.signal.removeEventListener('abort', done);
        resolve();
      };
      const stop = node.store.onAdvance(done);
      outlet.signal.addEventListener('abort', done);
    });

  /** Returns when the client has gone, or has fallen so far behind that it has to catch up again. */
  const live = async (): Promise<void> => {
    await send(CAUGHT_UP);
    progress.considered = 0;
    while (outlet.isOpen()) {
      const waiting = progress.sequence.length() - progress.place;
      if (waiting > LIVE_CAPACITY) {
        await send(FELL_BEHIND);
        return sendCheckpoint();
      }
      const event = waiting > 0 ? progress.sequence.at(progress.place) : undefined;
      if (event === undefined) {
        await newEvent();
        continue;
      }
      if (event.revision === Infinity && request.stream !== undefined)
        return outlet.fail(streamDeleted(request.stream));
      await deliver(event);
      if (filter === undefined || progress.considered % filter.checkpointInterval !== 0) continue;
      progress.checkpoint = event.position;
      await sendCheckpoint();
    }
  };

  return { progress, send, catchUp, live };
};

/** A subscription: confirmed, caught up, live; it goes on until the client leaves, a fault ends it or the stream is tombstoned. */
export const subscribe = async (node: Node, outlet: Outlet, request: ReadRequest): Promise<void> => {
  const { log } = node.store;
  const { stream, from } = request;
  if (stream !== undefined && log.revisionOf(stream) === Infinity) return outlet.fail(streamDeleted(stream));
  const end = (): void => outlet.end();
  node.subscriptions.add(end);
  outlet.signal.addEventListener('abort', () => node.subscriptions.delete(end));
  const delivery = createDelivery(node, outlet, request);
  await delivery.send(confirmation());
  if (stream === undefined && typeof from === 'number' && !isValidPosition(log, from))
    return outlet.fail(invalidPosition());
  while (outlet.isOpen()) {
    if (delivery.progress.place < delivery.progress.sequence.length()) await delivery.catchUp();
    await delivery.live();
  }
};
