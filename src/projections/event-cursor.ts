import { z } from 'zod';
import { Position } from '../events/event.ts';

/** Of the event's id: enough, since it is compared with one other event only. */
const DIGITS = 8;

/**
 * A position for a client to come back with, and the first digits of the id of its event: `<position>~<digits>`. They show
 * whether it is still the same history. A position alone is valid, too.
 */
export const EventCursorText = z.string().regex(/^[0-9a-zA-Z_-]{1,64}(~[0-9a-f]{8})?$/);

export const EventCursor = EventCursorText.transform((text) => {
  const [position, digits] = text.split('~');
  return { position: Position.parse(position), digits };
});
export type EventCursor = z.output<typeof EventCursor>;

export const eventCursorOf = ({ position, event_id }: { position: Position; event_id: string }): string =>
  `${position}~${event_id.slice(0, DIGITS)}`;

/** Whether the event with this id may be the one that the cursor was made of. */
export const isEventOf = ({ digits }: EventCursor, event_id: string | undefined): boolean =>
  digits === undefined || (event_id?.startsWith(digits) ?? false);
