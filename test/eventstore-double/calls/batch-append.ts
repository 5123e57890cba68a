import shared from '@eventstore/db-client/generated/shared_pb.js';
import type rpcStatus from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { type handleBidiStreamingCall, status } from '@grpc/grpc-js';
import { type Node, performWrite } from '../node.ts';
import type { ExpectedRevision } from '../store/event-log.ts';
import type { Outcome } from '../store/store.ts';
import { type ProposedEvent, streamNameOf, uuidText } from '../store/stored-event.ts';
import { missingProperty, proposedEvent, sizeOf } from './proposed-event.ts';
import { batchStatus, internal, type RpcError, unauthenticated } from './rpc-errors.ts';

type Request = streams.BatchAppendReq;
type Response = streams.BatchAppendResp;

/** An append of which not all events have come yet. */
interface Pending {
  identifier: shared.StreamIdentifier;
  expected: ExpectedRevision;
  events: ProposedEvent[];
  bytes: number;
}

const expectedIn = (options: streams.BatchAppendReq.Options): ExpectedRevision => {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return options.hasAny() ? 'any' : Number(options.getStreamPosition());
};

const success = ({ revision, position }: Outcome & { kind: 'written' }): streams.BatchAppendResp.Success => {
  const answer = new streams.BatchAppendResp.Success();
  if (revision < 0) answer.setNoStream(new shared.Empty());
  else answer.setCurrentRevision(String(revision));
  const text = String(position);
  return answer.setPosition(new shared.AllStreamPosition().setCommitPosition(text).setPreparePosition(text));
};

const statusOf = ({ identifier, expected }: Pending, outcome: Exclude<Outcome, { kind: 'written' }>) =>
  outcome.kind === 'deleted'
    ? batchStatus.streamDeleted(identifier)
    : batchStatus.wrongExpectedVersion(expected, outcome.current);

const isPast = (options: streams.BatchAppendReq.Options): boolean => {
  const deadline = options.getDeadline();
  return deadline !== undefined && deadline.getSeconds() * 1000 + deadline.getNanos() / 1e6 < Date.now();
};

/** What a message adds to its append; a status where the append has failed with it. */
const gather = (pending: Pending, message: Request, limitBytes: number): rpcStatus.Status | undefined => {
  for (const proposed of message.getProposedMessagesList()) {
    const missing = missingProperty(proposed);
    if (missing !== undefined) return batchStatus.badRequest(`Required Metadata Property '${missing}' is missing`);
    const event = proposedEvent(proposed);
    if (event.type === '') return batchStatus.badRequest('an event needs a type');
    pending.events.push(event);
    pending.bytes += sizeOf(event);
  }
  return pending.bytes > limitBytes ? batchStatus.tooLarge(limitBytes) : undefined;
};

/**
 * `Streams.BatchAppend`: many appends over one call, each with its correlation id; an append may come in several
 * messages. A refused append is an answer in the call; only a node that does not lead ends the whole call, and so
 * rejects whatever else waits in it.
 */
export const batchAppendHandler =
  (node: Node): handleBidiStreamingCall<Request, Response> =>
  (call) => {
    const unfinished = new Map<string, Pending>();
    const underWay = new Set<Promise<void>>();
    const stranger = node.access.refusal(call.metadata, 'append')?.code === status.UNAUTHENTICATED;
    let over = false;
    call.on('cancelled', () => {
      over = true;
    });

    const answer = (message: Request, identifier: shared.StreamIdentifier | undefined): Response =>
      new streams.BatchAppendResp().setCorrelationId(message.getCorrelationId()).setStreamIdentifier(identifier);
    const refuse = (message: Request, identifier: shared.StreamIdentifier | undefined, problem: rpcStatus.Status) => {
      unfinished.delete(uuidText(message.getCorrelationId()));
      if (!over) call.write(answer(message, identifier).setError(problem));
    };

    const fail = (error: RpcError): void => {
      if (over) return;
      over = true;
      call.emit('error', error);
    };

    const finish = async (message: Request, pending: Pending): Promise<void> => {
      const { identifier, expected, events } = pending;
      const write = { kind: 'append', stream: streamNameOf(identifier), expected, events } as const;
      const done = await performWrite(node, write, { metadata: call.metadata, peer: call.getPeer() });
      if (done === 'none' || over) return;
      if (done === 'end') {
        over = true;
        call.end();
      } else if ('error' in done && done.error.code === status.UNAVAILABLE)
        refuse(message, identifier, batchStatus.notReady());
      else if ('error' in done) fail(done.error);
      else if (done.outcome.kind === 'written')
        call.write(answer(message, identifier).setSuccess(success(done.outcome)));
      else refuse(message, identifier, statusOf(pending, done.outcome));
    };

    const begin = (message: Request, options: streams.BatchAppendReq.Options): rpcStatus.Status | undefined => {
      const identifier = options.getStreamIdentifier();
      // Who has come in stays in, though the password changes, as long as the rights are there.
      const refused = node.access.refusal(call.metadata, 'append');
      if (refused?.code === status.PERMISSION_DENIED) return batchStatus.accessDenied();
      if (identifier === undefined) return batchStatus.badRequest('Required field StreamIdentifier not set.');
      if (streamNameOf(identifier) === '') return batchStatus.badRequest('a stream needs a name');
      if (isPast(options)) return batchStatus.timeout();
      const pending: Pending = { identifier, expected: expectedIn(options), events: [], bytes: 0 };
      unfinished.set(uuidText(message.getCorrelationId()), pending);
      return undefined;
    };

    call.on('data', (message: Request) => {
      const id = uuidText(message.getCorrelationId());
      const options = message.getOptions();
      // A wrong name or password is refused before the call reaches the service, and so ends it for all appends.
      if (stranger) return fail(unauthenticated());
      const problem = options === undefined ? undefined : begin(message, options);
      if (problem !== undefined) return refuse(message, options?.getStreamIdentifier(), problem);
      const pending = unfinished.get(id);
      // What comes for an append that was refused meanwhile is passed over, as on the real server.
      if (pending === undefined) return;
      const broken = gather(pending, message, node.maxAppendBytes);
      if (broken !== undefined) return refuse(message, pending.identifier, broken);
      if (!message.getIsFinal()) return;
      unfinished.delete(id);
      const finished = finish(message, pending)
        .catch((error: unknown) => fail(internal(error)))
        .finally(() => underWay.delete(finished));
      underWay.add(finished);
    });
    call.on('end', () => {
      Promise.all(underWay).then(() => {
        if (!over) call.end();
      });
    });
  };
