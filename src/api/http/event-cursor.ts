import { z } from 'zod';
import { unknownPosition } from '../../errors.ts';
import { Position } from '../../events/event.ts';

/** Of the event's id: enough, since it is compared with one other event only. */
const DIGITS = 8;

const Text = z.string().regex(/^[0-9a-zA-Z_-]{1,64}(~[0-9a-f]{8})?$/);

/**
 * A position for a client to come back with, and the first digits of the id of its event: `<position>~<digits>`. They show
 * whether it is still the same history. A position alone is valid, too.
 */
export const EventCursor = Text.transform((text) => {
  const [position, digits] = text.split('~');
  return { position: Position.parse(position), digits };
});
export type EventCursor = z.output<typeof EventCursor>;

export const eventCursorOf = ({ position, event_id }: { position: Position; event_id: string }): string =>
  `${position}~${event_id.slice(0, DIGITS)}`;

/**
 * Throws `unknown-position` where another event is at the cursor, or none: its history is gone, and what comes after it in
 * this one would leave a gap.
 */
export const assertSameEvent = async (
  { position, digits }: EventCursor,
  find: (position: Position) => Promise<{ event_id: string } | null>,
): Promise<void> => {
  if (digits === undefined) return;
  const found = await find(position);
  if (!found?.event_id.startsWith(digits)) throw unknownPosition(position);
};
