import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { anEvent } from '../../contract/log.ts';

/** A writer process: appends `count` events to `streams` streams of its own, many at once, then ends. */
const [connectionString = '', name = '', count = '0', streams = '1'] = process.argv.slice(2);
const log = await createPostgresLog({ connectionString });
let written = 0;
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (written < Number(count)) {
      const n = written++;
      await log.append(`${name}-${n % Number(streams)}`, [anEvent(`${name}:${n}`)], { expected: 'any' });
    }
  }),
);
await log.close();
