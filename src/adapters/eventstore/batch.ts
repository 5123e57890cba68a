import { randomUUID } from 'node:crypto';
import type { EventData } from '@eventstore/db-client';
import { unpackToCommandError } from '@eventstore/db-client/dist/streams/appendToStream/unpackError.js';
import { createUUID, parseUUID } from '@eventstore/db-client/dist/utils/grpcUUID.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Position } from '../../events/event.ts';
import { type BatchCall, type EventStoreClient, LEADER } from './client.ts';
import { EndedEarly } from './connection.ts';
import { toPosition } from './row.ts';

export interface Write {
  stream: string;
  events: readonly EventData[];
  expected: number | 'none';
}

/** The server's answer. The position may be missing; where the events existed already, it is that of the first one. */
export interface Written {
  revision: number;
  position: Position | null;
}

interface Waiting {
  stream: string;
  resolve: (written: Written) => void;
  reject: (error: unknown) => void;
}

interface Call {
  write(write: Write): Promise<Written>;
  readonly ended: boolean;
}

const { BatchAppendReq } = streams;
type Request = InstanceType<typeof BatchAppendReq>;
type Response = InstanceType<typeof streams.BatchAppendResp>;

/** Keeps a message below gRPC's default limit of 4 MB. */
const MAX_REQUEST_BYTES = 2 * 1024 * 1024;

const optionsOf = ({ stream, expected }: Write) => {
  const options = new BatchAppendReq.Options();
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream, 'utf8'));
  options.setStreamIdentifier(identifier);
  if (expected === 'none') options.setNoStream(new shared.Empty());
  else options.setStreamPosition(String(expected));
  // No deadline: it is a time of this machine's clock, and the server's clock may differ by minutes.
  return options;
};

const messageOf = ({ id, type, contentType, data, metadata }: EventData) => {
  const message = new BatchAppendReq.ProposedMessage();
  message.setId(createUUID(id));
  message.getMetadataMap().set('type', type).set('content-type', contentType);
  message.setData(Buffer.from(JSON.stringify(data), 'utf8'));
  message.setCustomMetadata(Buffer.from(JSON.stringify(metadata), 'utf8'));
  return message;
};

const requestsOf = (correlationId: string, write: Write): Request[] => {
  const requests: Request[] = [];
  let bytes = 0;
  for (const event of write.events) {
    const message = messageOf(event);
    bytes += message.getData_asU8().length + message.getCustomMetadata_asU8().length;
    let request = requests.at(-1);
    if (request === undefined || bytes > MAX_REQUEST_BYTES) {
      request = new BatchAppendReq();
      request.setCorrelationId(createUUID(correlationId));
      if (requests.length === 0) request.setOptions(optionsOf(write));
      requests.push(request);
      bytes = 0;
    }
    request.addProposedMessages(message);
  }
  requests.at(-1)?.setIsFinal(true);
  return requests;
};

const writtenOf = (response: Response, stream: string): Written => {
  const error = response.getError();
  if (error) throw unpackToCommandError(error, stream);
  const success = response.getSuccess();
  if (!success) throw new EndedEarly('an append was answered with neither success nor error');
  const position = success.getPosition();
  return {
    revision: Number(success.getCurrentRevision()),
    position: position
      ? toPosition({ commit: BigInt(position.getCommitPosition()), prepare: BigInt(position.getPreparePosition()) })
      : null,
  };
};

const settle = (response: Response, { stream, resolve, reject }: Waiting): void => {
  try {
    resolve(writtenOf(response, stream));
  } catch (error) {
    reject(error);
  }
};

const createCall = (call: BatchCall): Call => {
  const waiting = new Map<string, Waiting>();
  let ended = false;

  const end = (error: unknown): void => {
    ended = true;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };

  call.on('data', (response: Response) => {
    const id = parseUUID(response.getCorrelationId()) ?? '';
    const answered = waiting.get(id);
    waiting.delete(id);
    if (answered) settle(response, answered);
  });
  call.on('error', end);
  // Rejects the waiting appends also where the call ends without an error; otherwise they would wait for ever.
  call.on('end', () => end(new EndedEarly('the stream of appends')));

  return {
    get ended() {
      return ended;
    },
    write: (write) =>
      new Promise((resolve, reject) => {
        const correlationId = randomUUID();
        waiting.set(correlationId, { stream: write.stream, resolve, reject });
        for (const request of requestsOf(correlationId, write)) call.write(request);
      }),
  };
};

export interface Batches {
  /** Rejects with the client's own errors. Has no time-out: the caller has one. */
  write(write: Write): Promise<Written>;
}

const writeSingly = async (client: EventStoreClient, { stream, events, expected }: Write): Promise<Written> => {
  const { nextExpectedRevision, position } = await client.appendToStream(stream, [...events], {
    ...LEADER,
    expectedRevision: expected === 'none' ? 'no_stream' : BigInt(expected),
  });
  return { revision: Number(nextExpectedRevision), position: position ? toPosition(position) : null };
};

/**
 * Sends all appends of a process over one bidirectional call. Each is answered separately, and the server batches them.
 *
 * `confirm` is called for each new call before anything is sent over it: the server may have come back with another log.
 *
 * The client's own `appendToStream` does the same, with flaws that would crash or block this process. It keeps the
 * answers of all clients in one table, so the failure of one client rejects the appends of the others, and answers that
 * still arrive for those throw an uncaught `TypeError`. Appends that wait for a full connection are rejected unsent
 * when it breaks. A call that ends without an error leaves its appends waiting for ever. Its deadline is enforced by
 * the server only, with the server's clock.
 */
export const createBatches = (client: EventStoreClient, confirm: () => Promise<void>): Batches => {
  let call: Call | undefined;
  let opening: Promise<Call | null> | undefined;

  /** Null where the server does not support batches. */
  const open = async (): Promise<Call | null> => {
    if (!(await client.supportsBatches())) return null;
    const opened = createCall(await client.openBatches());
    // A call ends with its connection, so what is true now stays true for as long as appends can be sent over it.
    await confirm();
    return opened;
  };

  const opened = async (): Promise<Call | null> => {
    opening ??= open().finally(() => {
      opening = undefined;
    });
    return opening;
  };

  return {
    async write(write) {
      if (!call || call.ended) call = (await opened()) ?? undefined;
      if (call) return call.write(write);
      await confirm();
      return writeSingly(client, write);
    },
  };
};
