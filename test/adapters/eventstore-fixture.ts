import { Writable } from 'node:stream';
import { pino } from 'pino';
import { createEventStoreLog, type EventStoreLogOptions } from '../../src/adapters/eventstore-log.ts';
import type { RecordedEvent } from '../../src/events/event.ts';
import type { Log } from '../../src/ports.ts';
import { collect, isEvent } from '../contract/log.ts';

interface LogLine {
  level: number;
  msg: string;
}

/** A logger whose lines can be looked at. */
export const listeningLogger = () => {
  const lines: LogLine[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, logger: pino({ level: 'debug' }, destination) };
};

/** Opens logs that notice trouble soon, and closes them all. */
export const createLogs = () => {
  const logs: Log[] = [];
  return {
    async open(url: string, options: Partial<EventStoreLogOptions> = {}): Promise<Log> {
      const impatient = { attemptTimeout: 200, pageTimeout: 300, watchInterval: 50, timeout: 5000 };
      const log = await createEventStoreLog({ url, logger: pino({ level: 'silent' }), ...impatient, ...options });
      logs.push(log);
      return log;
    },
    async close(): Promise<void> {
      await Promise.all(logs.splice(0).map((log) => log.close()));
    },
  };
};

export const everything = async (log: Log): Promise<RecordedEvent[]> =>
  (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);
