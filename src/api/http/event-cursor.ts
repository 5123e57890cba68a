import { unknownPosition } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import { type EventCursor, isEventOf } from '../../projections/event-cursor.ts';

/**
 * Throws `unknown-position` where another event is at the cursor, or none: its history is gone, and what comes after it in
 * this one would leave a gap.
 */
export const assertSameEvent = async (
  cursor: EventCursor,
  find: (position: Position) => Promise<{ event_id: string } | null>,
): Promise<void> => {
  const { position, digits } = cursor;
  if (digits === undefined) return;
  const found = await find(position);
  if (!isEventOf(cursor, found?.event_id)) throw unknownPosition(position);
};
