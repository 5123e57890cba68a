import type { Context } from 'koa';
import { z } from 'zod';
import { Rejected } from '../errors.ts';
import { Position } from '../events/event.ts';
import { newUuid } from '../events/ids.ts';
import { EventCursorText } from '../projections/event-cursor.ts';
import { type Revisions, revisionsOf, TAG_LIST } from './http/entity-tags.ts';

/** What the headers of a request say. */
export interface RequestFacts {
  request_id: string;
  /** Shared by all events that this request leads to. */
  correlation_id: string;
  traceparent: string | undefined;
  /** The position that the read model must have reached. */
  min_position: Position | undefined;
  /** The revisions that the change may be based on, or `*`: the resource must exist. */
  if_match: Revisions | undefined;
  /** The revisions that the caller has. */
  if_none_match: Revisions | undefined;
  idempotency_key: string | undefined;
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;
// All zeros mean "no trace": a sidecar that does not sample sends them.
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
export const IdempotencyKey = z.string().regex(/^[\x20-\x7e]{1,255}$/);
/** ETags, `*` for any revision, or empty, which counts as absent. */
export const IfMatch = z.string().regex(TAG_LIST);

const malformed = (code: string, header: string, detail: string) =>
  new Rejected('malformed', code, `The header ${header} ${detail}.`);

/** A short word, which is stored, shown and searched for as it is. */
export const RequestId = z.string().regex(REQUEST_ID);

/** The caller's own id where it is valid, else a new one. */
export const requestIdOf = (given: string): string => (REQUEST_ID.test(given) ? given : newUuid());

const ifMatchOf = (header: string): Revisions | undefined => {
  const revisions = revisionsOf(header);
  if (revisions !== null) return revisions;
  throw malformed('malformed-if-match', 'If-Match', 'must be ETags of answers, like "3" with its quotes, or *');
};

const idempotencyKeyOf = (header: string | undefined): string | undefined => {
  if (header === undefined) return undefined;
  if (IdempotencyKey.safeParse(header).success) return header;
  throw malformed('malformed-idempotency-key', 'Idempotency-Key', 'must be 1 to 255 printable ASCII characters');
};

const malformedPosition = (where: string): Rejected =>
  new Rejected('malformed', 'malformed-position', `${where} must be a position from an answer of this API.`);

/** Throws `Rejected` `malformed` with code `malformed-position`. */
const positionOf = (text: string, where: string): Position => {
  const parsed = Position.safeParse(text);
  if (parsed.success) return parsed.data;
  throw malformedPosition(where);
};

/** Throws `Rejected` `malformed` with code `malformed-position`. */
export const cursorOf = (text: string, where: string): string => {
  const parsed = EventCursorText.safeParse(text);
  if (parsed.success) return parsed.data;
  throw malformedPosition(where);
};

const single = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

/** Throws `Rejected` `malformed` for a malformed header. */
export const requestFactsOf = (ctx: Context, requestId: string): RequestFacts => {
  const traceparent = ctx.get('traceparent');
  const minPosition = ctx.get('min-position');
  return {
    request_id: requestId,
    // Not the caller's id: one that is sent twice would join what two requests led to.
    correlation_id: newUuid(),
    traceparent: TRACEPARENT.test(traceparent) ? traceparent : undefined,
    min_position: minPosition === '' ? undefined : positionOf(minPosition, 'The header Min-Position'),
    if_match: ifMatchOf(ctx.get('if-match')),
    // A condition that cannot be read is not met: the caller gets the whole answer.
    if_none_match: revisionsOf(ctx.get('if-none-match')) ?? undefined,
    idempotency_key: idempotencyKeyOf(single(ctx.headers['idempotency-key'])),
  };
};
