import type { Position } from '../events/event.ts';
import { EventId } from '../events/ids.ts';
import type { CaughtUp } from '../ports/log.ts';

/** `id`: of the event at `position`, as far as it is known; its first digits alone say too little to be handed on. */
export const caughtUpAt = (position: Position | null, id: string | undefined): CaughtUp => {
  const event_id = EventId.safeParse(id).data;
  return { caughtUp: true, position, ...(event_id === undefined ? {} : { event_id }) };
};
