import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';

/** What the server gives a tombstone as its revision (the largest 64-bit integer); inside the double it is `Infinity`. */
const TOMBSTONE_REVISION = '9223372036854775807';

/**
 * What a record of the log holds beside its texts and bytes: twice its length, type, version, own position, flags, position
 * and offset in its transaction, expected revision, event and correlation id, time, and the lengths of its parts.
 */
const FRAME_BYTES = 4 + 1 + 1 + 8 + 2 + 8 + 4 + 8 + 16 + 16 + 8 + 4 + 4 + 4;

/** An event as a client proposes it. */
export interface ProposedEvent {
  id: string;
  type: string;
  contentType: string;
  data: Uint8Array;
  metadata: Uint8Array;
}

/** An event of the log. Its message is kept as bytes: it is written once, journalled and read many times as they are. */
export interface StoredEvent {
  id: string;
  stream: string;
  /** From 0; `Infinity` for the event that tombstones the stream. */
  revision: number;
  /** Commit and prepare position: the real server, too, has them equal since its writes commit themselves. */
  position: number;
  type: string;
  /** Milliseconds since 1970. */
  created: number;
  /** How far behind its position the log goes on. */
  size: number;
  /** `ReadResp` with the event, as every read and subscription sends it. */
  bytes: Buffer;
}

const revisionText = (revision: number): string => (revision === Infinity ? TOMBSTONE_REVISION : String(revision));

const streamIdentifier = (stream: string) =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));

/** A text stands behind its length, of which each byte holds seven bits. */
const textBytes = (text: string): number => {
  const length = Buffer.byteLength(text);
  return length + (length < 128 ? 1 : length < 16_384 ? 2 : 3);
};

/** How long the record is, by nothing but what it holds: two logs with events of equal sizes have equal positions. */
const recordBytes = (stream: string, type: string, data: Uint8Array, metadata: Uint8Array): number =>
  FRAME_BYTES + textBytes(stream) + textBytes(type) + data.length + metadata.length;

/** The server counts in ticks of 100 ns since 1970. */
const TICKS_A_MILLISECOND = 10_000;

/** Places a proposed event in the log. */
export const storedEvent = (
  { id, type, contentType, data, metadata }: ProposedEvent,
  { stream, revision, position }: Pick<StoredEvent, 'stream' | 'revision' | 'position'>,
): StoredEvent => {
  const created = Date.now();
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(id))
    .setStreamIdentifier(streamIdentifier(stream))
    .setStreamRevision(revisionText(revision))
    .setCommitPosition(String(position))
    .setPreparePosition(String(position))
    .setData(data)
    .setCustomMetadata(metadata);
  recorded
    .getMetadataMap()
    .set('type', type)
    .set('created', String(created * TICKS_A_MILLISECOND))
    .set('content-type', contentType === 'application/json' ? contentType : 'application/octet-stream');
  const event = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(position));
  const bytes = Buffer.from(new streams.ReadResp().setEvent(event).serializeBinary());
  return { id, stream, revision, position, type, created, size: recordBytes(stream, type, data, metadata), bytes };
};

const recordedIn = (bytes: Uint8Array) => {
  const recorded = streams.ReadResp.deserializeBinary(bytes).getEvent()?.getEvent();
  if (recorded === undefined) throw new Error('these bytes hold no event');
  return recorded;
};

/** Reads an event back from its bytes. */
export const storedEventOf = (bytes: Buffer): StoredEvent => {
  const recorded = recordedIn(bytes);
  const revision = recorded.getStreamRevision();
  const stream = streamNameOf(recorded.getStreamIdentifier());
  const type = recorded.getMetadataMap().get('type') ?? '';
  return {
    id: recorded.getId()?.getString() ?? '',
    stream,
    revision: revision === TOMBSTONE_REVISION ? Infinity : Number(revision),
    position: Number(recorded.getCommitPosition()),
    type,
    created: Number(recorded.getMetadataMap().get('created')) / TICKS_A_MILLISECOND,
    size: recordBytes(stream, type, recorded.getData_asU8(), recorded.getCustomMetadata_asU8()),
    bytes,
  };
};

export const textOf = (event: StoredEvent): string => Buffer.from(recordedIn(event.bytes).getData_asU8()).toString();

/** The data of an event; undefined where it is no JSON. */
export const jsonOf = (event: StoredEvent): unknown => {
  try {
    return JSON.parse(textOf(event));
  } catch {
    return undefined;
  }
};

/** Where the log goes on behind this event. */
export const positionAfter = ({ position, size }: StoredEvent): number => position + size;

/** A UUID as two signed 64-bit halves: what a client gets that does not ask for text. */
const structured = (id: string) => {
  const hex = id.replaceAll('-', '');
  const half = (digits: string) => BigInt.asIntN(64, BigInt(`0x${digits}`)).toString();
  return new shared.UUID().setStructured(
    new shared.UUID.Structured()
      .setMostSignificantBits(half(hex.slice(0, 16)))
      .setLeastSignificantBits(half(hex.slice(16))),
  );
};

interface Shape {
  /** What a link leads to: the event, or null where there is none any more. Undefined: the event is sent as it is. */
  target: StoredEvent | null | undefined;
  structuredIds: boolean;
}

/** `ReadResp` for an event. */
export const messageFor = ({ bytes }: StoredEvent, { target, structuredIds }: Shape): Buffer => {
  if (target === undefined && !structuredIds) return bytes;
  const response = streams.ReadResp.deserializeBinary(bytes);
  const read = response.getEvent();
  if (read !== undefined && target !== undefined)
    read.setLink(read.getEvent()).setEvent(target === null ? undefined : recordedIn(target.bytes));
  if (structuredIds)
    for (const recorded of [read?.getEvent(), read?.getLink()]) recorded?.setId(structured(uuidText(recorded.getId())));
  return Buffer.from(response.serializeBinary());
};

/** The text of a UUID, however the client wrote it. */
export const uuidText = (uuid: shared.UUID | undefined): string => {
  const halves = uuid?.getStructured();
  if (halves === undefined) return uuid?.getString() ?? '';
  const hex = [halves.getMostSignificantBits(), halves.getLeastSignificantBits()]
    .map((half) => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0'))
    .join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

/** The name that an identifier holds. */
export const streamNameOf = (identifier: shared.StreamIdentifier | undefined): string =>
  Buffer.from(identifier?.getStreamName_asU8() ?? []).toString();
