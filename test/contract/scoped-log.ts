import { randomUUID } from 'node:crypto';
import { WrongExpectedRevision } from '../../src/errors.ts';
import type { RecordedEvent } from '../../src/events/event.ts';
import type { CaughtUp, Log } from '../../src/ports/log.ts';

/**
 * A log that others use, too, and that is not empty, as if it were an empty one of our own: every stream's name gets a
 * prefix, and everything that is there already lies before the start.
 */
export const scopedLog = async (log: Log): Promise<Log> => {
  const prefix = `test-${randomUUID()}-`;
  const begin = await log.head();
  const named = (stream: string): string => (stream === '' ? '' : prefix + stream);
  const inScope = (event: RecordedEvent): RecordedEvent => ({ ...event, stream: event.stream.slice(prefix.length) });
  const orNull = <T>(position: T): T | null => (position === begin ? null : position);

  async function* readStream(...[stream, options]: Parameters<Log['readStream']>): AsyncGenerator<RecordedEvent> {
    for await (const event of log.readStream(named(stream), options)) yield inScope(event);
  }

  async function* subscribe({
    after,
    filter,
    ...options
  }: Parameters<Log['subscribe']>[0]): AsyncGenerator<RecordedEvent | CaughtUp> {
    const streams = filter?.streams?.map(named);
    const streamPrefixes = (filter?.streamPrefixes ?? (streams ? [] : [''])).map((name) => prefix + name);
    const scope = {
      ...options,
      after: after === 'start' ? (begin ?? after) : after,
      filter: { ...filter, streamPrefixes, ...(streams && { streams }) },
    };
    for await (const item of log.subscribe(scope)) {
      if ('caughtUp' in item) yield { ...item, position: orNull(item.position) };
      else if (item.stream.startsWith(prefix)) yield inScope(item);
    }
  }

  return {
    append: (stream, events, options) =>
      log.append(named(stream), events, options).catch((error: unknown) => {
        if (!(error instanceof WrongExpectedRevision)) throw error;
        throw new WrongExpectedRevision(stream, error.expected, error.actual);
      }),
    readStream,
    subscribe,
    head: async () => orNull(await log.head()),
    eventAt: log.eventAt,
    close: log.close,
  };
};
