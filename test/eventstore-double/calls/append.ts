import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { handleClientStreamingCall } from '@grpc/grpc-js';
import { type Node, performWrite } from '../node.ts';
import type { ExpectedRevision } from '../store/event-log.ts';
import type { Outcome, Write } from '../store/store.ts';
import { type ProposedEvent, streamNameOf } from '../store/stored-event.ts';
import { missingProperty, proposedEvent, sizeOf } from './proposed-event.ts';
import {
  appendTooLarge,
  cancelled,
  internal,
  invalidArgument,
  metadataMissing,
  type RpcError,
  streamDeleted,
} from './rpc-errors.ts';

const expectedIn = (options: streams.AppendReq.Options): ExpectedRevision => {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return options.hasAny() ? 'any' : Number(options.getRevision());
};

const success = ({ revision, position }: Outcome & { kind: 'written' }): streams.AppendResp => {
  const answer = new streams.AppendResp.Success();
  if (revision < 0) answer.setNoStream(new shared.Empty());
  else answer.setCurrentRevision(String(revision));
  const text = String(position);
  answer.setPosition(new streams.AppendResp.Position().setCommitPosition(text).setPreparePosition(text));
  return new streams.AppendResp().setSuccess(answer);
};

/** A conflict is no failed call but an answer, in the fields of 20.6 and in today's. */
const conflict = (expected: ExpectedRevision, current: number): streams.AppendResp => {
  const answer = new streams.AppendResp.WrongExpectedVersion();
  if (current < 0) answer.setNoStream2060(new shared.Empty()).setCurrentNoStream(new shared.Empty());
  else answer.setCurrentRevision2060(current).setCurrentRevision(String(current));
  if (expected === 'any') answer.setAny2060(new shared.Empty()).setExpectedAny(new shared.Empty());
  else if (expected === 'stream_exists')
    answer.setStreamExists2060(new shared.Empty()).setExpectedStreamExists(new shared.Empty());
  else if (expected === 'no_stream') answer.setExpectedNoStream(new shared.Empty());
  else answer.setExpectedRevision2060(expected).setExpectedRevision(String(expected));
  return new streams.AppendResp().setWrongExpectedVersion(answer);
};

interface Gathered {
  options: streams.AppendReq.Options | undefined;
  events: ProposedEvent[];
  bytes: number;
}

/** Takes one more message of the call; answers what is wrong with it. */
const gather = (gathered: Gathered, message: streams.AppendReq, limitBytes: number): RpcError | undefined => {
  gathered.options ??= message.getOptions();
  const proposed = message.getProposedMessage();
  if (proposed === undefined) return undefined;
  const missing = missingProperty(proposed);
  if (missing !== undefined) return metadataMissing(missing);
  const event = proposedEvent(proposed);
  if (event.type === '') return invalidArgument('an event needs a type');
  gathered.events.push(event);
  gathered.bytes += sizeOf(event);
  return gathered.bytes > limitBytes ? appendTooLarge(limitBytes) : undefined;
};

const writeOf = ({ options, events }: Gathered): Write | undefined =>
  options && {
    kind: 'append',
    stream: streamNameOf(options.getStreamIdentifier()),
    expected: expectedIn(options),
    events,
  };

/** `Streams.Append`: one append a call, the events as a stream. */
export const appendHandler =
  (node: Node): handleClientStreamingCall<streams.AppendReq, streams.AppendResp> =>
  (call, callback) => {
    const gathered: Gathered = { options: undefined, events: [], bytes: 0 };
    let failure: RpcError | null | undefined = node.access.refusal(call.metadata, 'append');

    const answer = async (): Promise<void> => {
      const write = writeOf(gathered);
      if (failure) return callback(failure);
      if (write === undefined) return callback(invalidArgument('an append begins with its options'));
      if (write.stream === '') return callback(invalidArgument('a stream needs a name'));
      const done = await performWrite(node, write, { metadata: call.metadata, peer: call.getPeer() });
      if (done === 'none') return;
      if (done === 'end') return callback(cancelled());
      if ('error' in done) return callback(done.error);
      const { outcome } = done;
      if (outcome.kind === 'written') callback(null, success(outcome));
      else if (outcome.kind === 'deleted') callback(streamDeleted(write.stream));
      else callback(null, conflict(write.expected, outcome.current));
    };

    call.on('data', (message: streams.AppendReq) => {
      failure ??= gather(gathered, message, node.maxAppendBytes);
    });
    call.on('end', () => {
      answer().catch((error: unknown) => callback(internal(error)));
    });
  };
