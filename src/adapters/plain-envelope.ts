import type { RecordedEvent } from '../events/event.ts';

/** An event as a log holds it, of any system. */
export type Stored = Pick<RecordedEvent, 'position' | 'revision'> & { [Field in keyof RecordedEvent]: unknown };

/** The largest `integer` of Postgres, in which versions and revisions are kept. */
export const MAX_INTEGER = 2 ** 31 - 1;

const [HYPHEN, DOLLAR, SPACE, TILDE] = [45, 36, 32, 126];
const ACTORS: readonly unknown[] = ['user', 'service', 'process'];
/** But for 29 February, which the schema knows more of. */
const TIME =
  /^[12]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** By character code: 1 for a hexadecimal digit. */
const HEX = new Uint8Array(128);
for (const digit of '0123456789abcdefABCDEF') HEX[digit.charCodeAt(0)] = 1;

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === 'string';
const isCount = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= MAX_INTEGER;

const isUuid = (value: unknown): boolean => {
  if (typeof value !== 'string' || value.length !== 36) return false;
  for (let n = 0; n < 36; n += 1) {
    const isHyphen = n === 8 || n === 13 || n === 18 || n === 23;
    const code = value.charCodeAt(n);
    if (isHyphen ? code !== HYPHEN : HEX[code] !== 1) return false;
  }
  return '12345678'.includes(value.charAt(14)) && '89abAB'.includes(value.charAt(19));
};

const isName = (value: unknown): boolean => {
  if (typeof value !== 'string' || value.length === 0 || value.length > 500) return false;
  for (let n = 0; n < value.length; n += 1) {
    const code = value.charCodeAt(n);
    if (code < SPACE || code > TILDE) return false;
  }
  return value.charCodeAt(0) !== DOLLAR;
};

const isActor = (actor: unknown): boolean => {
  if (!isFields(actor)) return false;
  const { type, id, name } = actor;
  return ACTORS.includes(type) && typeof id === 'string' && id !== '' && typeof name === 'string';
};

const isMeta = (meta: unknown): boolean => {
  if (!isFields(meta)) return false;
  const { tenant_id, command_id, command, correlation_id, causation_id, actor } = meta;
  const { request_hash, traceparent, request_id } = meta;
  return (
    isUuid(tenant_id) &&
    isUuid(command_id) &&
    typeof command === 'string' &&
    isUuid(correlation_id) &&
    (causation_id === null || isUuid(causation_id)) &&
    isActor(actor) &&
    [request_hash, traceparent, request_id].every(isTextOrAbsent)
  );
};

/**
 * True for an envelope that surely fits the schema, as nearly all do that BudApp has written: the schema takes several times
 * as long, which is a third of reading a log. False says nothing.
 */
export const isPlainEnvelope = ({ id, stream, revision, type, version, at, meta }: Stored): boolean =>
  isUuid(id) &&
  isName(stream) &&
  isCount(revision, 0) &&
  isName(type) &&
  isCount(version, 1) &&
  typeof at === 'string' &&
  TIME.test(at) &&
  isMeta(meta);
