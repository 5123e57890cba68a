import { Rejected } from '../../errors.ts';
import type { Meta, NewEvent, Position, RecordedEvent } from '../../events/event.ts';
import { isOurs } from '../envelope.ts';

/** A position in the transaction log, as the server counts it. */
export interface ServerPosition {
  commit: bigint;
  prepare: bigint;
}

/** An event as the client returns it, of any system. */
interface ServerEvent {
  id: string;
  streamId: string;
  revision: bigint;
  type: string;
  data: unknown;
  metadata?: unknown;
  position?: ServerPosition;
}

/** The event's metadata: everything except the fact that the server does not store itself. */
interface Envelope {
  version: number;
  /** The time of the append, by the clock of the appending process. */
  at: string;
  meta: Meta;
}

/** Enough for 64 bits, so that positions sort as text. */
const HEX_DIGITS = 16;
const hex = (number: bigint): string => number.toString(16).padStart(HEX_DIGITS, '0');

const isPosition = (text: string): text is Position => /^[0-9a-f]{16}-[0-9a-f]{16}$/.test(text);

/** `<commit>-<prepare>` in hexadecimal digits. */
export const toPosition = ({ commit, prepare }: ServerPosition): Position => {
  const first = hex(commit);
  const text = `${first}-${prepare === commit ? first : hex(prepare)}`;
  if (!isPosition(text)) throw new RangeError(`not a position: ${text}`);
  return text;
};

export const toServerPosition = (position: Position): ServerPosition => ({
  commit: BigInt(`0x${position.slice(0, HEX_DIGITS)}`),
  prepare: BigInt(`0x${position.slice(HEX_DIGITS + 1)}`),
});

/** Refuses a position of another log or a malformed one: `Rejected` `invalid`, code `unknown-position`. */
export const checkPosition = (position: Position): Position => {
  if (isPosition(position)) return position;
  throw new Rejected('invalid', 'unknown-position', `${position} is not a position of this log.`);
};

export const envelopeOf = ({ version, meta }: NewEvent, at: string): Envelope => ({ version, at, meta });

const fieldsOf = (metadata: unknown): { [Field in keyof Envelope]?: unknown } =>
  typeof metadata === 'object' && metadata !== null ? metadata : {};

/** Converts an event; null for an event of the server or of another system in the same database. */
export const toRecorded = (event: ServerEvent): RecordedEvent | null => {
  const { id, streamId, revision, type, data, metadata, position } = event;
  if (position === undefined) throw new RangeError(`event ${id} has no position`);
  const { version, at, meta } = fieldsOf(metadata);
  const recorded = {
    id,
    type,
    version,
    data,
    meta,
    stream: streamId,
    revision: Number(revision),
    position: toPosition(position),
    at,
  };
  return isOurs(recorded) ? recorded : null;
};
