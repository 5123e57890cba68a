import { expect } from 'chai';
import { Pool } from 'pg';
import { createDispatcher } from '../../../src/processes/engine/dispatcher.ts';
import type { Performer } from '../../../src/processes/engine/perform.ts';
import { createLogger } from '../../../src/telemetry.ts';

const performer: Performer = {
  attempt: () => Promise.reject(new Error('there is nothing to perform')),
  giveUp: () => Promise.reject(new Error('there is nothing to give up')),
  nameOf: () => 'nothing',
};

describe('a dispatcher whose database is away', () => {
  it('keeps looking for it as often as at the beginning, and logs it once', async () => {
    const lines: string[] = [];
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const pool = new Pool();
    let questions = 0;
    pool.query = () => {
      questions += 1;
      // By then the pauses of a call that fails are half a minute each.
      if (questions === 12) resolve();
      return Promise.reject(new Error('connect ECONNREFUSED'));
    };
    const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } });
    const dispatcher = createDispatcher({ pool, performer, logger, owner: 'test', longest_pause_ms: 5 });
    const closing = new AbortController();
    const running = dispatcher.run(closing.signal);
    await asked;
    closing.abort();
    await running;
    expect(lines).to.have.length(1);
  });
});
