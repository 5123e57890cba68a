import { type ExpectedRevision, Rejected } from '../errors.ts';
import type { NewEvent } from '../events/event.ts';

/** Some ids of an append are in the log already, but not all of them in this stream. */
export const eventIdsTaken = (stream: string): Rejected =>
  new Rejected(
    'conflict',
    'event-ids-taken',
    `Some of these events are in the log already, but not all of them in ${stream}.`,
  );

/** Throws a `TypeError` for an append that is invalid in any log: a mistake in the code, not in a request. */
export const checkAppend = (stream: string, events: readonly NewEvent[], expected: ExpectedRevision): void => {
  if (!/^\P{Cc}{1,500}$/u.test(stream)) throw new TypeError(`not a stream name: ${JSON.stringify(stream)}`);
  if (events.length === 0) throw new TypeError(`nothing to append to ${stream}`);
  if (new Set(events.map(({ id }) => id)).size < events.length)
    throw new TypeError(`an append to ${stream} contains the same event id twice`);
  if (typeof expected === 'number' && !(Number.isInteger(expected) && expected >= 0))
    throw new TypeError(`not a revision: ${expected}`);
};
