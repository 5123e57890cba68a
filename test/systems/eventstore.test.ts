import { pino } from 'pino';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import { describeLog } from '../contract/log.ts';
import { scopedLog } from '../contract/scoped-log.ts';

/**
 * The log's contract over a real server, which may be full and in use, though not by a BudApp at the same time: whoever has
 * one names it as EVENTSTORE_URL. Every test leaves some small streams behind, whose names begin with `test-`.
 */
const url = process.env.EVENTSTORE_URL;

if (url === undefined || url === '')
  describe('a real EventStoreDB', () => {
    it.skip('keeps the contract of the log (EVENTSTORE_URL is not set: no real server to run against)');
  });
else
  describeLog(
    'in a real EventStoreDB',
    async () => scopedLog(await createEventStoreLog({ url, logger: pino({ level: 'warn' }, pino.destination(2)) })),
    { ids_unique_in_log: false },
  );
