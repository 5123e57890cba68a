import shared from '@eventstore/db-client/generated/shared_pb.js';
import rpcStatus from '@eventstore/db-client/generated/status_pb.js';
import { Metadata, status } from '@grpc/grpc-js';
import type { ExpectedRevision } from '../store/event-log.ts';

/** How a call ends that fails. The trailer `exception` says which failure it is, the others say more. */
export interface RpcError {
  code: status;
  details: string;
  metadata: Metadata;
}

const rpcError = (code: status, details: string, trailers: Readonly<Record<string, string>> = {}): RpcError => {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return { code, details, metadata };
};

/** Text in a trailer: gRPC allows ASCII only. */
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

export const notLeader = ({ host, port }: { host: string; port: number }): RpcError =>
  rpcError(status.NOT_FOUND, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': host,
    'leader-endpoint-port': String(port),
  });

export const notReady = (): RpcError => rpcError(status.UNAVAILABLE, 'Server Is Not Ready');

export const cancelled = (): RpcError => rpcError(status.CANCELLED, 'Cancelled');

export const accessDenied = (): RpcError =>
  rpcError(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });

/** A wrong name or password is refused before the call reaches its service, with nothing but the code. */
export const unauthenticated = (): RpcError => rpcError(status.UNAUTHENTICATED, 'Unauthenticated');

export const streamDeleted = (stream: string): RpcError =>
  rpcError(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': ascii(stream),
  });

export const expectedNumber = (expected: ExpectedRevision): number => {
  switch (expected) {
    case 'no_stream':
      return -1;
    case 'any':
      return -2;
    case 'stream_exists':
      return -4;
    default:
      return expected;
  }
};

/** How deletions answer a conflict; appends have a message for it. */
export const wrongExpectedVersion = (stream: string, expected: ExpectedRevision, current: number): RpcError =>
  rpcError(status.FAILED_PRECONDITION, `Delete failed due to WrongExpectedVersion. Stream: ${stream}`, {
    exception: 'wrong-expected-version',
    'stream-name': ascii(stream),
    'expected-version': String(expectedNumber(expected)),
    'actual-version': String(current),
  });

export const appendTooLarge = (limitBytes: number): RpcError =>
  rpcError(status.INVALID_ARGUMENT, `Maximum Append Size of ${limitBytes} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(limitBytes),
  });

export const metadataMissing = (property: string): RpcError =>
  rpcError(status.INVALID_ARGUMENT, `Required Metadata Property '${property}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': 'type,content-type',
  });

/** A position inside a record, with more behind it. */
export const invalidPosition = (): RpcError => rpcError(status.UNKNOWN, 'Unexpected ReadAllResult: InvalidPosition');

/** The double itself has failed, for example to write its journal. */
export const internal = (error: unknown): RpcError => rpcError(status.INTERNAL, ascii(String(error)));

export const invalidArgument = (details: string): RpcError => rpcError(status.INVALID_ARGUMENT, details);

const rpcStatusOf = (
  code: status,
  name: string,
  details: Uint8Array,
  type = `event_store.client.${name}`,
): rpcStatus.Status => {
  // Field 3 with nothing in it: the way to an `Any` without naming the protobuf runtime.
  const message = rpcStatus.Status.deserializeBinary(Uint8Array.of(0x1a, 0x00));
  message.getDetails()?.pack(details, type);
  // The numbers of google.rpc.Code are those of gRPC.
  return message.setCode(Number(code)).setMessage(name);
};

/** What a batched append answers with instead of ending the call, which other appends share. */
export const batchStatus = {
  wrongExpectedVersion(expected: ExpectedRevision, current: number): rpcStatus.Status {
    const details = new shared.WrongExpectedVersion();
    if (current < 0) details.setCurrentNoStream(new shared.Empty());
    else details.setCurrentStreamRevision(String(current));
    if (expected === 'any') details.setExpectedAny(new shared.Empty());
    else if (expected === 'stream_exists') details.setExpectedStreamExists(new shared.Empty());
    else if (expected === 'no_stream') details.setExpectedNoStream(new shared.Empty());
    else details.setExpectedStreamPosition(String(expected));
    return rpcStatusOf(status.ALREADY_EXISTS, 'WrongExpectedVersion', details.serializeBinary());
  },
  streamDeleted(identifier: shared.StreamIdentifier): rpcStatus.Status {
    const details = new shared.StreamDeleted().setStreamIdentifier(identifier);
    return rpcStatusOf(status.NOT_FOUND, 'StreamDeleted', details.serializeBinary());
  },
  accessDenied: (): rpcStatus.Status =>
    rpcStatusOf(status.PERMISSION_DENIED, 'AccessDenied', new shared.AccessDenied().serializeBinary()),
  timeout: (): rpcStatus.Status =>
    rpcStatusOf(status.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout().serializeBinary()),
  tooLarge: (limitBytes: number): rpcStatus.Status =>
    rpcStatusOf(
      status.INVALID_ARGUMENT,
      'MaximumAppendSizeExceeded',
      new shared.MaximumAppendSizeExceeded().setMaxappendsize(limitBytes).serializeBinary(),
    ),
  /** Only here it is an answer without a code and with empty details, which the client cannot tell from other troubles. */
  notReady: (): rpcStatus.Status =>
    rpcStatusOf(status.OK, 'Server Is Not Ready', new Uint8Array(), 'google.protobuf.Empty'),
  badRequest: (text: string): rpcStatus.Status =>
    rpcStatusOf(status.INVALID_ARGUMENT, 'BadRequest', new shared.BadRequest().setMessage(text).serializeBinary()),
};
