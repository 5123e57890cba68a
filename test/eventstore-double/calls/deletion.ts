import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { handleUnaryCall, Metadata } from '@grpc/grpc-js';
import { type Node, performWrite } from '../node.ts';
import type { ExpectedRevision } from '../store/event-log.ts';
import type { Write } from '../store/store.ts';
import { streamNameOf } from '../store/stored-event.ts';
import { cancelled, internal, type RpcError, streamDeleted, wrongExpectedVersion } from './rpc-errors.ts';

type Options = streams.DeleteReq.Options | streams.TombstoneReq.Options;

const expectedIn = (options: Options): ExpectedRevision => {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return options.hasAny() ? 'any' : Number(options.getRevision());
};

const writeOf = (kind: 'delete' | 'tombstone', options: Options | undefined): Write => ({
  kind,
  stream: streamNameOf(options?.getStreamIdentifier()),
  expected: options === undefined ? 'any' : expectedIn(options),
  events: [],
});

/** The position of the deletion, or why there is none; undefined: no answer at all. */
const perform = async (
  node: Node,
  write: Write,
  call: { metadata: Metadata; getPeer(): string },
): Promise<{ position: string } | { error: RpcError } | undefined> => {
  const refused = node.access.refusal(call.metadata, 'append');
  if (refused !== null) return { error: refused };
  const context = { metadata: call.metadata, peer: call.getPeer() };
  const done = await performWrite(node, write, context).catch((error: unknown) => ({ error: internal(error) }));
  if (done === 'none') return undefined;
  if (done === 'end') return { error: cancelled() };
  if ('error' in done) return done;
  const { outcome } = done;
  if (outcome.kind === 'deleted') return { error: streamDeleted(write.stream) };
  if (outcome.kind === 'wrong-expected-version')
    return { error: wrongExpectedVersion(write.stream, write.expected, outcome.current) };
  return { position: String(outcome.position) };
};

/** `Streams.Delete`: the stream is hidden and may be begun anew, behind its last revision. */
export const deleteHandler =
  (node: Node): handleUnaryCall<streams.DeleteReq, streams.DeleteResp> =>
  async (call, callback) => {
    const done = await perform(node, writeOf('delete', call.request.getOptions()), call);
    if (done === undefined) return;
    if ('error' in done) return callback(done.error);
    const { position } = done;
    const last = new streams.DeleteResp.Position().setCommitPosition(position).setPreparePosition(position);
    callback(null, new streams.DeleteResp().setPosition(last));
  };

/** `Streams.Tombstone`: the stream is gone for good, its name can never be used again. */
export const tombstoneHandler =
  (node: Node): handleUnaryCall<streams.TombstoneReq, streams.TombstoneResp> =>
  async (call, callback) => {
    const done = await perform(node, writeOf('tombstone', call.request.getOptions()), call);
    if (done === undefined) return;
    if ('error' in done) return callback(done.error);
    const { position } = done;
    const last = new streams.TombstoneResp.Position().setCommitPosition(position).setPreparePosition(position);
    callback(null, new streams.TombstoneResp().setPosition(last));
  };
