import {
  type AllStreamSubscription,
  convertToCommandError,
  END,
  isCommandError,
  type Position,
  type ResolvedEvent,
  type StreamSubscription,
  streamNameFilter,
} from '@eventstore/db-client';
import { moved, positionOf } from './all-calls.ts';
import { anEvent, append, type Calls, type Server, streamWith } from './call.ts';

/** What a subscription reports, in order, until there are `count` reports or it ends. */
const follow = (subscription: AllStreamSubscription | StreamSubscription, count: number) => {
  const reports: unknown[] = [];
  const caughtUp = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const report = (item: unknown): void => {
    reports.push(item);
    if (reports.length >= count) over.resolve();
  };
  subscription.on('confirmation', () => report('confirmed'));
  subscription.on('caughtUp', () => {
    report('caught up');
    caughtUp.resolve();
  });
  subscription.on('data', ({ event }: ResolvedEvent) => report(['event', Number(event?.revision)]));
  subscription.on('error', (error) => {
    const known = convertToCommandError(error);
    report(['error', isCommandError(known) ? known.type : error.name]);
    over.resolve();
  });
  return {
    caughtUp: caughtUp.promise,
    async end(): Promise<unknown[]> {
      await over.promise;
      await subscription.unsubscribe();
      return reports;
    },
  };
};

const from = async ({ client }: Server, fromPosition: Position, count: number): Promise<unknown> =>
  follow(client.subscribeToAll({ fromPosition }), count).end();

const appended = async (server: Server): Promise<Position> =>
  positionOf(await append(server, server.newStream(), anEvent()));

/** Subscriptions to `$all` and to streams. */
export const subscriptionCalls: Calls = {
  async 'subscribe: filtered from a position, then live'(server) {
    const stream = server.newStream();
    const fromPosition = positionOf(await append(server, stream, anEvent()));
    const filter = streamNameFilter({ prefixes: [stream] });
    const following = follow(server.client.subscribeToAll({ fromPosition, filter }), 4);
    await following.caughtUp;
    await append(server, stream, [anEvent(), anEvent()]);
    return following.end();
  },
  async 'subscribe: from the end'(server) {
    const stream = server.newStream();
    const filter = streamNameFilter({ prefixes: [stream] });
    const following = follow(server.client.subscribeToAll({ fromPosition: END, filter }), 3);
    await following.caughtUp;
    await append(server, stream, anEvent());
    return following.end();
  },
  async 'subscribe: from far beyond the end'(server) {
    return from(server, moved(await appended(server), 10_000_000n), 2);
  },
  async 'subscribe: from inside the last event'(server) {
    return from(server, moved(await appended(server), 3n), 2);
  },
  async 'subscribe: from inside an event, with more behind it'(server) {
    const position = await appended(server);
    await appended(server);
    return from(server, moved(position, 3n), 2);
  },
  async 'subscribe to a stream that is made later'(server) {
    const stream = server.newStream();
    const following = follow(server.client.subscribeToStream(stream), 3);
    await following.caughtUp;
    await append(server, stream, anEvent());
    return (await following.end()).slice(1);
  },
  async 'subscribe to a tombstoned stream'(server) {
    const stream = await streamWith(server, [anEvent()]);
    await server.client.tombstoneStream(stream);
    return (await follow(server.client.subscribeToStream(stream), 9).end()).at(-1);
  },
};
