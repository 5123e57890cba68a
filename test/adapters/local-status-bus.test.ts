import { expect } from 'chai';
import { createLocalStatusBus } from '../../src/adapters/local-status-bus.ts';
import { createLogger } from '../../src/telemetry.ts';
import { statusBusContract } from '../contract/status-bus.ts';

const silent = createLogger({ level: 'silent' });

describe('local status bus', () => {
  statusBusContract(async () => createLocalStatusBus({ log: silent }));

  it('does not run a handler inside publish', async () => {
    const bus = createLocalStatusBus({ log: silent });
    const order: string[] = [];
    const arrived = new Promise<void>((resolve) => {
      void bus.subscribe('a', () => {
        order.push('handled');
        resolve();
      });
    });
    await bus.publish({ subject: 'a', payload: '' });
    order.push('published');
    await arrived;
    expect(order).to.deep.equal(['published', 'handled']);
    await bus.close();
  });

  it('says which handler failed', async () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'error', destination: { write: (line) => lines.push(line) } });
    const bus = createLocalStatusBus({ log });
    await bus.subscribe('a.*', () => {
      throw new Error('broken');
    });
    const after = new Promise<void>((resolve) => {
      void bus.subscribe('a.b', () => resolve());
    });
    await bus.publish({ subject: 'a.b', payload: '' });
    await after;
    expect(JSON.parse(lines[0] ?? '')).to.include({ pattern: 'a.*', subject: 'a.b' });
    await bus.close();
  });
});
