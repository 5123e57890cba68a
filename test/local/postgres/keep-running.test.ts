import { expect } from 'chai';
import { keepRunning } from '../../../src/local/postgres/keep-running.ts';
import type { PostgresServer } from '../../../src/local/postgres/postgres-server.ts';
import { eventually } from '../../eventually.ts';

const pause = { first_ms: 1, longest_ms: 2 };

const aServer = () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const server: PostgresServer = { ended, close: async () => end('closed') };
  return { server, end };
};

describe('the watch over the embedded Postgres', () => {
  it('starts a server again that has ended, until it is closed', async () => {
    const first = aServer();
    const second = aServer();
    const told: string[] = [];
    const watched = keepRunning(first.server, {
      pause,
      start: async () => second.server,
      onEnd: (words) => told.push(words),
      onRestart: () => told.push('restarted'),
      onLost: () => told.push('lost'),
    });
    first.end('killed');
    await eventually('it runs again', async () => told.includes('restarted'));
    await watched.close();
    expect(told).to.deep.equal(['killed', 'restarted']);
    expect(await second.server.ended).to.equal('closed');
  });

  for (const [title, start] of [
    ['cannot be started', () => Promise.reject(new Error('the disk is full'))],
    ['keeps ending', async () => ({ ended: Promise.resolve('out of memory'), close: async () => undefined })],
  ] as const) {
    it(`gives up after some attempts where the server ${title}, and says so`, async () => {
      const first = aServer();
      let attempts = 0;
      const lost = new Promise<unknown>((resolve) => {
        const counted = () => {
          attempts += 1;
          return start();
        };
        keepRunning(first.server, { pause, start: counted, onLost: resolve });
      });
      first.end('killed');
      expect(String(await lost)).to.match(/the disk is full|out of memory/);
      expect(attempts).to.equal(10);
    });
  }

  it('starts nothing after it was closed', async () => {
    const first = aServer();
    let attempts = 0;
    const start = async () => {
      attempts += 1;
      return aServer().server;
    };
    const watched = keepRunning(first.server, { pause: { first_ms: 60_000, longest_ms: 60_000 }, start });
    first.end('killed');
    await watched.close();
    expect(attempts).to.equal(0);
  });
});
