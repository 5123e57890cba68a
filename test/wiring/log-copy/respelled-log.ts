import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { Rejected } from '../../../src/errors.ts';
import { Position, type RecordedEvent } from '../../../src/events/event.ts';
import type { Log, LogImport } from '../../../src/ports/log.ts';

const PREFIX = 'm-';

/** A log whose positions have another form than those of the other adapters, as those of another product have. */
export const createRespelledLog = (): Log & LogImport => {
  const log = createMemoryLog();
  const spell = (position: Position): Position => Position.parse(`${PREFIX}${position}`);
  const read = (position: Position): Position => {
    if (position.startsWith(PREFIX)) return Position.parse(position.slice(PREFIX.length));
    throw new Rejected('invalid', 'unknown-position', `${position} is not a position of this log.`);
  };
  const respell = (event: RecordedEvent): RecordedEvent => ({ ...event, position: spell(event.position) });

  return {
    ...log,
    async append(stream, events, options) {
      const appended = await log.append(stream, events, options);
      return { ...appended, position: spell(appended.position) };
    },
    async *readStream(stream, options) {
      for await (const event of log.readStream(stream, options)) yield respell(event);
    },
    async *subscribe({ after, ...options }) {
      for await (const item of log.subscribe({ after: after === 'start' ? after : read(after), ...options })) {
        if ('stream' in item) yield respell(item);
        else yield { ...item, position: item.position && spell(item.position) };
      }
    },
    async head() {
      const head = await log.head();
      return head && spell(head);
    },
    eventAt: async (position) => log.eventAt(read(position)),
  };
};
