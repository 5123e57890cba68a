import { type ExpectedRevision, Rejected } from '../errors.ts';
import type { NewEvent } from '../events/event.ts';

/** Some of the ids of an append stand in the log already, but not all of them in this stream. */
export const eventIdsTaken = (stream: string): Rejected =>
  new Rejected(
    'conflict',
    'event-ids-taken',
    `Not all of these events are new, and not all of them stand in ${stream}.`,
  );

/** Throws a `TypeError` where an append makes no sense in any log: a mistake in our code, not in somebody's request. */
export const checkAppend = (stream: string, events: readonly NewEvent[], expected: ExpectedRevision): void => {
  if (!/^\P{Cc}{1,500}$/u.test(stream)) throw new TypeError(`not a stream name: ${JSON.stringify(stream)}`);
  if (events.length === 0) throw new TypeError(`nothing to append to ${stream}`);
  if (new Set(events.map(({ id }) => id)).size < events.length)
    throw new TypeError(`an event id twice in one append to ${stream}`);
  if (typeof expected === 'number' && !(Number.isInteger(expected) && expected >= 0))
    throw new TypeError(`not a revision: ${expected}`);
};
