import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createLocalStatusBus } from '../../../src/adapters/local-status-bus.ts';
import type { StatusBus } from '../../../src/ports/status-bus.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { type RunningApi, startApi } from '../running-api.ts';

/** Less than the time after which the hub looks into the log of its own accord. */
const AT_ONCE_MS = 3_000;

describe('the live stream over a bus that was away', () => {
  let api: RunningApi;
  let bus: StatusBus;
  let isBack: (() => void) | undefined;
  before(async () => {
    // Nothing is published on it: whatever arrives was read from the log.
    const silent = createLocalStatusBus({ log: createLogger({ level: 'silent' }) });
    bus = {
      ...silent,
      subscribe(pattern, handler, options) {
        isBack = options?.onGap;
        return silent.subscribe(pattern, handler, options);
      },
    };
    api = await startApi({ bus });
    await api.admin.get('/auth/me');
  });
  after(async () => {
    await api.close();
    await bus.close();
  });

  it('brings what was missed as soon as the bus is back, though no message follows', async () => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=now&area=project`, {
      headers: { authorization: `Bearer ${api.admin.token}` },
    });
    await once(socket, 'open');
    await api.admin.post('/projects', { name: 'missed' });
    const start = performance.now();
    isBack?.();
    const [data] = await once(socket, 'message');
    expect(JSON.parse(String(data)).data).to.include({ name: 'missed' });
    expect(performance.now() - start).to.be.lessThan(AT_ONCE_MS);
    socket.close();
  });
});
