import { Writable } from 'node:stream';
import { pino } from 'pino';
import { createEventStoreLog, type EventStoreLogOptions } from '../../../src/adapters/eventstore/log.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import type { Log } from '../../../src/ports/log.ts';
import { collect, isEvent } from '../../contract/log.ts';

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

/** So patient that no time-out makes up for what has to be noticed, and none strikes on a machine that is busy. */
export const PATIENT = { attemptTimeout: 60_000, silence: 60_000, watchInterval: 3_600_000, timeout: 60_000 };

/** Opens logs and closes them all. */
export const createLogs = () => {
  const logs: Log[] = [];
  return {
    async open(url: string, options: Partial<EventStoreLogOptions> = {}): Promise<Log> {
      const log = await createEventStoreLog({ url, logger: pino({ level: 'silent' }), timeout: 15_000, ...options });
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
