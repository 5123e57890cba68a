import { expect } from 'chai';
import fc from 'fast-check';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import { EndpointId } from '../../../src/events/ids.ts';
import { endpoints } from '../../../src/projections/endpoints.ts';
import { byStream, foldStreams } from '../../../src/projections/engine/fold.ts';
import { replay } from '../../../src/projections/queries/replay.ts';
import { type Row, readModelOf } from '../../../src/projections/read-model.ts';
import { reported, startEndpoint } from '../facts.ts';

const model = readModelOf(endpoints);

describe('folding in batches', () => {
  it('makes the rows that a replay of each stream makes, however the log is cut into batches', async () => {
    const history = fc.array(fc.nat(2), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(history, fc.integer({ min: 1, max: 10 }), async (happenings, size) => {
        const log = createMemoryLog();
        const started = [await startEndpoint(log), await startEndpoint(log), await startEndpoint(log)];
        for (const [n, which] of happenings.entries()) {
          const endpoint = started[which];
          await endpoint?.append(reported(EndpointId.parse(endpoint.id), n));
        }
        const events: RecordedEvent[] = [];
        for await (const item of log.subscribe({ after: 'start', live: false }))
          if (!('caughtUp' in item)) events.push(item);
        const rows = new Map<string, Row>();
        for (let from = 0; from < events.length; from += size) {
          const folded = foldStreams(model, rows, byStream(model, events.slice(from, from + size)));
          for (const row of folded.rows) rows.set(String(row.id), row);
        }
        for (const { id } of started) expect(rows.get(id)).to.deep.include(await replay(endpoints, log, { id }));
        await log.close();
      }),
      { numRuns: 40 },
    );
  });
});
