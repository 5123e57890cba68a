import { expect } from 'chai';
import { createLocalStatusBus } from '../../../src/adapters/local-status-bus.ts';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { Frame } from '../../../src/api/live/frame.ts';
import { createHub } from '../../../src/api/live/hub.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createStatusMapper } from '../../../src/projections/engine/status-feed.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { eventually } from '../../eventually.ts';
import { startProject } from '../../projections/facts.ts';

const logger = createLogger({ level: 'silent' });

describe('the live stream over a bus that was away', () => {
  it('brings what was missed as soon as the bus is back, though no message follows', async () => {
    const log = createMemoryLog();
    // Nothing is published on it: whatever arrives was read from the log.
    const silent = createLocalStatusBus({ log: logger });
    const back = Promise.withResolvers<() => void>();
    const bus = {
      ...silent,
      subscribe: (...[pattern, handler, options]: Parameters<typeof silent.subscribe>) => {
        if (options?.onGap) back.resolve(options.onGap);
        return silent.subscribe(pattern, handler, options);
      },
    };
    // So long that it never looks into the log of its own accord.
    const hub = await createHub({ log, bus, mapper: createStatusMapper({ log }), logger, check_ms: 2 ** 31 - 1 });
    const { promise: arrived, resolve } = Promise.withResolvers<Frame>();
    hub.listen(resolve);
    const { id } = await startProject(log);
    (await back.promise)();
    expect(await arrived).to.include({ area: 'project', resource_id: id });
    await hub.close();
    await bus.close();
  });
});

describe('the live stream over a log that has lost its newest events', () => {
  const LONG = 2 ** 31 - 1;

  for (const [how, lostAfter] of [
    ['is shorter than before', 0],
    ['has grown beyond where it was', 3],
  ] as const) {
    it(`tells its clients, once the log ${how}, and goes on with the new history`, async () => {
      const [before, after] = [createMemoryLog(), createMemoryLog()];
      await startProject(before);
      await startProject(after);
      let log: Log = before;
      const failingOver: Log = {
        ...before,
        head: () => log.head(),
        subscribe: (options) => log.subscribe(options),
      };
      const bus = createLocalStatusBus({ log: logger });
      const gap = Promise.withResolvers<() => void>();
      const watched: typeof bus = {
        ...bus,
        subscribe: (...[pattern, handler, options]: Parameters<typeof bus.subscribe>) => {
          if (options?.onGap) gap.resolve(options.onGap);
          return bus.subscribe(pattern, handler, options);
        },
      };
      const mapper = createStatusMapper({ log: failingOver });
      const hub = await createHub({ log: failingOver, bus: watched, mapper, logger, check_ms: LONG });
      const shown: Frame[] = [];
      const told: unknown[] = [];
      hub.listen(
        (frame) => shown.push(frame),
        (error) => told.push(error),
      );
      const look = await gap.promise;
      for (let n = 0; n < 2; n += 1) await startProject(before);
      look();
      await eventually('the frames', () => shown.length === 2);
      for (let n = 0; n < lostAfter; n += 1) await startProject(after);
      log = after;
      look();
      await eventually('it is told', () => told.length === 1);
      expect(told[0]).to.have.property('code', 'unknown-position');
      expect(hub.seen()).to.equal(await after.head());

      const next = Promise.withResolvers<Frame>();
      hub.listen(next.resolve);
      const { id } = await startProject(after);
      look();
      expect(await next.promise).to.include({ resource_id: id });
      expect(shown).to.have.length(2);
      await hub.close();
      await bus.close();
    });
  }
});
