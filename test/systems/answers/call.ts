import { randomUUID } from 'node:crypto';
import {
  type AppendExpectedRevision,
  convertToCommandError,
  type EventStoreDBClient,
  isCommandError,
  type JSONEventType,
  jsonEvent,
  type ResolvedEvent,
  type StreamingRead,
} from '@eventstore/db-client';
import { z } from 'zod';

/** A server with a stream of its own for each call, so that it may be full and in use. */
export interface Server {
  client: EventStoreDBClient;
  /** A name that no stream has yet. */
  newStream(): string;
}

/** What a server is asked; it answers in values that JSON can hold, and that are the same on every server and in every run. */
export type Call = (server: Server) => Promise<unknown>;
export type Calls = Readonly<Record<string, Call>>;

export const serverOf = (client: EventStoreDBClient): Server => ({
  client,
  newStream: () => `test-${randomUUID()}`,
});

export const anEvent = (data: unknown = { a: 1 }, type = 'thing-happened') =>
  jsonEvent<JSONEventType>({ type, data: data as JSONEventType['data'], metadata: { m: 1 } });

export const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, n) => anEvent({ n: from + n }));

export const append = (
  { client }: Server,
  stream: string,
  events: Parameters<EventStoreDBClient['appendToStream']>[1],
  expectedRevision: AppendExpectedRevision = 'any',
) => client.appendToStream(stream, events, { expectedRevision });

/** A new stream with these events. */
export const streamWith = async (server: Server, events: ReturnType<typeof anEvent>[]): Promise<string> => {
  const stream = server.newStream();
  await append(server, stream, events);
  return stream;
};

const contentOf = (content: unknown): unknown => (content instanceof Uint8Array ? `${content.length} bytes` : content);

/** An event of `stream`, as far as it is the same everywhere. */
export const shown = ({ event }: ResolvedEvent, stream: string): unknown => ({
  stream: event?.streamId === stream ? 'own' : event?.streamId,
  revision: Number(event?.revision),
  type: event?.type,
  data: contentOf(event?.data),
  ...(event?.metadata === undefined ? {} : { metadata: contentOf(event.metadata) }),
  position: event?.position !== undefined,
});

const Numbered = z.object({ n: z.number() });

/** The number of one of the `numbered` events. */
export const numberOf = ({ event }: ResolvedEvent): number => Numbered.parse(event?.data).n;

export const all = async <T>(read: StreamingRead<T>): Promise<T[]> => {
  const items: T[] = [];
  for await (const item of read) items.push(item);
  return items;
};

/** What a refusal says: its kind and, of a conflict, the actual revision. */
export const refusalOf = (error: unknown): unknown => {
  if (!(error instanceof Error)) throw error;
  const known = convertToCommandError(error);
  if (!isCommandError(known)) throw error;
  const actual = 'actualVersion' in known ? { actual: String(known.actualVersion) } : {};
  return { refused: known.type, ...actual };
};
