import { once } from 'node:events';
import {
  type AllStreamSubscription,
  END,
  type EventStoreDBClient,
  eventTypeFilter,
  excludeSystemEvents,
  type Filter,
  type Position,
  START,
  type StreamSubscription,
  streamNameFilter,
} from '@eventstore/db-client';
import { expect } from 'chai';
import { anEvent, withDouble } from '../opened.ts';

type Subscription = AllStreamSubscription | StreamSubscription;

/** What a subscription delivers, in order: events as `stream@revision`, and `caught up`. */
const follow = (subscription: Subscription) => {
  const seen: string[] = [];
  const positions: bigint[] = [];
  let changed = Promise.withResolvers<void>();
  const add = (entry: string): void => {
    seen.push(entry);
    changed.resolve();
    changed = Promise.withResolvers();
  };
  subscription.on('caughtUp', () => add('caught up'));
  subscription.on('fellBehind', () => add('fell behind'));
  subscription.on('end', () => add('end'));
  subscription.on('error', (error) => add(`error ${error.name} ${'type' in error ? error.type : ''}`));
  subscription.on('data', ({ event }) => {
    positions.push(event?.position?.commit ?? -1n);
    add(`${event?.streamId}@${event?.revision}`);
  });
  return {
    seen,
    positions,
    until: async (condition: () => boolean): Promise<void> => {
      while (!condition()) await changed.promise;
    },
  };
};

const withoutSystem = (seen: readonly string[]) => seen.filter((entry) => !entry.startsWith('$'));

describe('The EventStoreDB double serves subscriptions', () => {
  it('to everything: first what is there, then that it has caught up, then what comes', () =>
    withDouble({}, async ({ append, client }) => {
      await append('a', [anEvent(), anEvent()]);
      const subscription = client.subscribeToAll({ fromPosition: START });
      const followed = follow(subscription);
      await followed.until(() => followed.seen.includes('caught up'));
      await append('b', anEvent());
      await followed.until(() => followed.seen.includes('b@0'));
      expect(withoutSystem(followed.seen)).to.deep.equal(['a@0', 'a@1', 'caught up', 'b@0']);
      await subscription.unsubscribe();
    }));

  it('confirmed with an id', () =>
    withDouble({}, async ({ client }) => {
      const subscription = client.subscribeToAll();
      await once(subscription, 'confirmation');
      expect(subscription.id).to.match(/^[0-9a-f-]{36}$/);
      await subscription.unsubscribe();
    }));

  it('to everything behind a position inside an event, which is confirmed and then fails', () =>
    withDouble({}, async ({ append, client }) => {
      const { position } = await append('a', anEvent());
      await append('a', anEvent());
      const inside = (position?.commit ?? 0n) + 2n;
      const subscription = client.subscribeToAll({ fromPosition: { commit: inside, prepare: inside } });
      const confirmed = once(subscription, 'confirmation');
      const followed = follow(subscription);
      await confirmed;
      await followed.until(() => followed.seen.length > 0);
      expect(followed.seen).to.deep.equal(['error Error unknown']);
    }));

  it('to everything behind a position, the event at it not included', () =>
    withDouble({}, async ({ append, client }) => {
      const { position } = await append('a', [anEvent(), anEvent()]);
      await append('b', anEvent());
      const followed = follow(client.subscribeToAll({ fromPosition: position ?? START }));
      await followed.until(() => followed.seen.includes('caught up'));
      expect(followed.seen).to.deep.equal(['b@0', 'caught up']);
    }));

  it('from the end: caught up at once, and then only what comes', () =>
    withDouble({}, async ({ append, client }) => {
      await append('a', anEvent());
      const [all, stream] = [
        follow(client.subscribeToAll({ fromPosition: END })),
        follow(client.subscribeToStream('a', { fromRevision: END })),
      ];
      await Promise.all([all, stream].map((one) => one.until(() => one.seen.includes('caught up'))));
      await append('a', anEvent());
      for (const followed of [all, stream]) {
        await followed.until(() => followed.seen.length > 1);
        expect(followed.seen).to.deep.equal(['caught up', 'a@1']);
      }
    }));

  it('to a stream, behind a revision, and to one that is not there yet', () =>
    withDouble({}, async ({ append, client }) => {
      await append('a', [anEvent(), anEvent(), anEvent()]);
      const [there, later] = [
        follow(client.subscribeToStream('a', { fromRevision: 0n })),
        follow(client.subscribeToStream('later', { fromRevision: START })),
      ];
      await Promise.all([there, later].map((one) => one.until(() => one.seen.includes('caught up'))));
      expect(there.seen).to.deep.equal(['a@1', 'a@2', 'caught up']);
      await append('later', anEvent());
      await later.until(() => later.seen.includes('later@0'));
      expect(later.seen).to.deep.equal(['caught up', 'later@0']);
    }));

  it('without a word to who names a position that no event has yet, until it is reached', () =>
    withDouble({}, async ({ append, client }) => {
      const { position } = await append('a', anEvent());
      const ahead = (position?.commit ?? 0n) + 500n;
      const followed = follow(client.subscribeToAll({ fromPosition: { commit: ahead, prepare: ahead } }));
      await followed.until(() => followed.seen.includes('caught up'));
      for (let n = 0; followed.seen.length < 2; n += 1) await append('b', anEvent(n));
      expect(followed.seen[1]).to.not.equal('b@0');
      expect(followed.positions[0] ?? 0n).to.satisfy((first: bigint) => first > ahead);
    }));
});

describe('The EventStoreDB double filters', () => {
  const filtered = async (client: EventStoreDBClient, filter: Filter) => {
    const followed = follow(client.subscribeToAll({ fromPosition: START, filter }));
    await followed.until(() => followed.seen.includes('caught up'));
    return followed.seen.slice(0, -1);
  };

  it('by stream and by type, with prefixes and with patterns', () =>
    withDouble({}, async ({ append, client }) => {
      await append('cat-1', anEvent(0, 'Born'));
      await append('dog-1', anEvent(0, 'Born'));
      await append('cat-2', anEvent(0, 'Slept'));
      expect(await filtered(client, streamNameFilter({ prefixes: ['cat-', 'cow-'] }))).to.deep.equal([
        'cat-1@0',
        'cat-2@0',
      ]);
      expect(await filtered(client, streamNameFilter({ regex: '-1$' }))).to.deep.equal(['cat-1@0', 'dog-1@0']);
      expect(await filtered(client, eventTypeFilter({ prefixes: ['Sle'] }))).to.deep.equal(['cat-2@0']);
      expect(await filtered(client, excludeSystemEvents())).to.deep.equal(['cat-1@0', 'dog-1@0', 'cat-2@0']);
    }));

  it('and sends checkpoints as it passes events over, while it catches up and when live', () =>
    withDouble({}, async ({ append, client }) => {
      await append(
        'passed-over',
        Array.from({ length: 50 }, (_, n) => anEvent(n)),
      );
      const checkpoints: bigint[] = [];
      let reached = Promise.withResolvers<void>();
      const filter = streamNameFilter({
        prefixes: ['wanted-'],
        maxSearchWindow: 10,
        checkpointInterval: 1,
        checkpointReached: (_subscription, { commit }: Position) => {
          checkpoints.push(commit);
          reached.resolve();
        },
      });
      const followed = follow(client.subscribeToAll({ fromPosition: START, filter }));
      await followed.until(() => followed.seen.includes('caught up'));
      expect(checkpoints.length).to.be.within(5, 7);
      reached = Promise.withResolvers();
      const { position } = await append(
        'passed-over',
        Array.from({ length: 10 }, (_, n) => anEvent(n)),
      );
      await reached.promise;
      expect(checkpoints.at(-1)).to.equal(position?.commit);
      expect(checkpoints).to.deep.equal([...new Set(checkpoints)].sort((a, b) => Number(a - b)));
      expect(followed.seen).to.deep.equal(['caught up']);
    }));
});

describe('The EventStoreDB double under a slow subscriber', () => {
  it('tells it that it fell behind, lets it catch up, and loses nothing', () =>
    withDouble({}, async ({ append, client }) => {
      const subscription = client.subscribeToAll({ fromPosition: END });
      const followed = follow(subscription);
      await followed.until(() => followed.seen.includes('caught up'));
      subscription.pause();
      const big = (n: number) => ({ ...anEvent(n), data: { n, text: 'x'.repeat(20_000) } });
      for (let n = 0; n < 20; n += 1)
        await append(
          's',
          Array.from({ length: 20 }, (_, m) => big(m)),
        );
      subscription.resume();
      await followed.until(() => followed.seen.includes('s@399') && followed.seen.at(-1) === 'caught up');
      const events = followed.seen.filter((entry) => entry.startsWith('s@'));
      expect(events).to.deep.equal(Array.from({ length: 400 }, (_, n) => `s@${n}`));
      expect(followed.seen).to.include('fell behind');
    }));
});
