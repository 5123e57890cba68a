import type { EventLog } from '../store/event-log.ts';
import { type StoredEvent, textOf } from '../store/stored-event.ts';

const TYPE = '$>';

/** What a link leads to; null where that is not there or not shown any more, undefined where the event is no link. */
export const linked = (log: EventLog, event: StoredEvent): StoredEvent | null | undefined => {
  if (event.type !== TYPE) return undefined;
  const [, revision, stream = ''] = /^(\d+)@(.+)$/s.exec(textOf(event)) ?? [];
  const place = Number(revision);
  if (log.revisionOf(stream) === Infinity || log.isDeleted(stream) || !(place >= log.firstShown(stream))) return null;
  const index = log.indicesOf(stream)[place];
  return (index !== undefined && index < log.visible() && log.event(index)) || null;
};
