import { type AppendExpectedRevision, BACKWARDS, END } from '@eventstore/db-client';
import { all, anEvent, append, type Call, type Calls, type Server, shown, streamWith } from './call.ts';

const missing = async (server: Server): Promise<string> => server.newStream();
const two = (server: Server): Promise<string> => streamWith(server, [anEvent(), anEvent()]);

/** How a stream may be when a call comes. */
const STREAMS: Readonly<Record<string, (server: Server) => Promise<string>>> = {
  missing,
  two,
  async deleted(server) {
    const stream = await two(server);
    await server.client.deleteStream(stream);
    return stream;
  },
  async tombstoned(server) {
    const stream = await two(server);
    await server.client.tombstoneStream(stream);
    return stream;
  },
};

export const EXPECTED: Readonly<Record<string, AppendExpectedRevision>> = {
  '0': 0n,
  '1': 1n,
  '5': 5n,
  any: 'any',
  none: 'no_stream',
  exists: 'stream_exists',
};

type StreamCall = (server: Server, stream: string) => Promise<unknown>;

const appending =
  (expected: AppendExpectedRevision | undefined, events = [anEvent()]): StreamCall =>
  async (server, stream) => {
    const { success, nextExpectedRevision, position } = await append(server, stream, events, expected);
    return { success, revision: Number(nextExpectedRevision), position: position !== undefined };
  };

type ReadOptions = Parameters<Server['client']['readStream']>[1];

const reading =
  (options: ReadOptions): StreamCall =>
  async ({ client }, stream) =>
    (await all(client.readStream(stream, options))).map((event) => shown(event, stream));

const CALLS: Readonly<Record<string, StreamCall>> = {
  ...Object.fromEntries(
    Object.entries(EXPECTED).map(([name, expected]) => [`append with expected ${name}`, appending(expected)]),
  ),
  'append nothing': appending('any', []),
  read: reading({}),
  'read one backwards from the end': reading({ direction: BACKWARDS, fromRevision: END, maxCount: 1 }),
  'read backwards from 9': reading({ direction: BACKWARDS, fromRevision: 9n }),
  'read from 7': reading({ fromRevision: 7n }),
  'read no events': reading({ maxCount: 0 }),
  async delete({ client }, stream) {
    return (await client.deleteStream(stream)).position !== undefined;
  },
  async 'delete at a wrong revision'({ client }, stream) {
    return (await client.deleteStream(stream, { expectedRevision: 7n })).position !== undefined;
  },
  async tombstone({ client }, stream) {
    return (await client.tombstoneStream(stream)).position !== undefined;
  },
  async 'delete, then append and read'(server, stream) {
    await server.client.deleteStream(stream).catch(() => undefined);
    const { nextExpectedRevision } = await append(server, stream, anEvent({ again: true }));
    return { revision: Number(nextExpectedRevision), read: await reading({})(server, stream) };
  },
  async 'read the metadata'({ client }, stream) {
    const { metadata } = await client.getStreamMetadata(stream);
    return metadata ?? null;
  },
};

const together =
  (prepare: (server: Server) => Promise<string>, call: StreamCall): Call =>
  async (server) =>
    call(server, await prepare(server));

/** Every call to a stream that is not there, has two events, is deleted and is tombstoned. */
export const streamCalls: Calls = Object.fromEntries(
  Object.entries(STREAMS).flatMap(([state, prepare]) =>
    Object.entries(CALLS).map(([name, call]) => [`stream ${state}: ${name}`, together(prepare, call)]),
  ),
);
