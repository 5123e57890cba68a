import {
  type AppendResult,
  EventStoreDBClient,
  type JSONEventType,
  jsonEvent,
  type ResolvedEvent,
} from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { createEventStoreDouble, type DoubleOptions, type EventStoreDouble } from './double.ts';

/** A proposed event; `n` makes it recognisable. */
export const anEvent = (n = 0, type = 'ThingHappened') => jsonEvent<JSONEventType>({ type, data: { n } });

export type Proposed = ReturnType<typeof anEvent>;

/** The unmodified client, with what the tests do with it all the time. */
export const connect = (url: string) => {
  const client = EventStoreDBClient.connectionString(url);
  return {
    client,
    append: (
      stream: string,
      events: Proposed | Proposed[],
      expected: 'any' | 'no_stream' | 'stream_exists' | bigint = 'any',
    ): Promise<AppendResult> => client.appendToStream(stream, events, { expectedRevision: expected }),
    dispose: () => client.dispose(),
  };
};

export type Connected = ReturnType<typeof connect>;

/** A double with a client, for as long as `use` takes. */
export const withDouble = async (
  options: DoubleOptions,
  use: (opened: Connected & { double: EventStoreDouble }) => Promise<void>,
): Promise<void> => {
  const double = await createEventStoreDouble(options);
  const connected = connect(double.url);
  try {
    await use({ ...connected, double });
  } finally {
    await connected.dispose();
    await double.close();
  }
};

/** `type@revision` of each event. */
export const listed = async (events: AsyncIterable<ResolvedEvent>): Promise<string[]> => {
  const found: string[] = [];
  for await (const { event } of events) found.push(`${event?.streamId}@${event?.revision}`);
  return found;
};

/** A call after all connections were cut: the first one may fail, by which the client comes to know of it. */
export const reconnecting = async <Value>(call: () => Promise<Value>): Promise<Value> => {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === status.UNAVAILABLE)) throw error;
    }
  }
  return call();
};
