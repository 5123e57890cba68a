import { expect } from 'chai';
import { createLocalStatusBus } from '../../../src/adapters/local-status-bus.ts';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { Frame } from '../../../src/api/live/frame.ts';
import { createHub } from '../../../src/api/live/hub.ts';
import { createStatusMapper } from '../../../src/projections/engine/status-feed.ts';
import { createLogger } from '../../../src/telemetry.ts';
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
