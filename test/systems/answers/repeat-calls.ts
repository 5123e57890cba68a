import type { AppendExpectedRevision } from '@eventstore/db-client';
import { all, anEvent, append, type Call, type Calls, numbered, type Server, streamWith } from './call.ts';

/** What is expected, and how many events the stream has before. */
const PLACES: Readonly<Record<string, { expected: AppendExpectedRevision; before: number }>> = {
  '0': { expected: 0n, before: 1 },
  '1': { expected: 1n, before: 2 },
  '2': { expected: 2n, before: 3 },
  any: { expected: 'any', before: 0 },
  none: { expected: 'no_stream', before: 0 },
  exists: { expected: 'stream_exists', before: 1 },
};

const begin = (server: Server, before: number): Promise<string> | string =>
  before === 0 ? server.newStream() : streamWith(server, numbered(before));

const count = async ({ client }: Server, stream: string): Promise<number> =>
  (await all(client.readStream(stream))).length;

const repeated =
  (place: string, later: number): Call =>
  async (server) => {
    const { expected, before } = PLACES[place]!;
    const stream = await begin(server, before);
    const events = [anEvent(), anEvent()];
    const first = await append(server, stream, events, expected);
    if (later > 0) await append(server, stream, numbered(later));
    const again = await append(server, stream, events, expected);
    return {
      first: Number(first.nextExpectedRevision),
      again: Number(again.nextExpectedRevision),
      same_position: first.position?.commit === again.position?.commit,
      events: await count(server, stream),
    };
  };

type Event = ReturnType<typeof anEvent>;

/** Another append with some of the events that were appended: `made` of the two. */
const inPart =
  (place: string, made: (first: Event, second: Event) => Event[]): Call =>
  async (server) => {
    const { expected, before } = PLACES[place]!;
    const stream = await begin(server, before);
    const [first, second] = [anEvent(), anEvent()];
    await append(server, stream, [first, second], expected);
    const { nextExpectedRevision } = await append(server, stream, made(first, second), expected);
    return { revision: Number(nextExpectedRevision), events: (await count(server, stream)) - before };
  };

const PARTS: Readonly<Record<string, (first: Event, second: Event) => Event[]>> = {
  'both and a new one': (first, second) => [first, second, anEvent()],
  'the second of two': (_first, second) => [second],
  'two in another order': (first, second) => [second, first],
};

/** Appends of ids that are there already. */
export const repeatCalls: Calls = {
  ...Object.fromEntries(
    Object.keys(PLACES).flatMap((place) =>
      [0, 3].map((later) => [
        `repeat with the same ids, expected ${place}, ${later} events later`,
        repeated(place, later),
      ]),
    ),
  ),
  ...Object.fromEntries(
    ['0', 'any', 'none'].flatMap((place) =>
      Object.entries(PARTS).map(([what, made]) => [`repeat in part: ${what}, expected ${place}`, inPart(place, made)]),
    ),
  ),
  async 'the same id twice in one append'(server) {
    const event = anEvent();
    const stream = server.newStream();
    const { nextExpectedRevision } = await append(server, stream, [event, event]);
    return { revision: Number(nextExpectedRevision), events: await count(server, stream) };
  },
  async 'the same id in another stream, expected any'(server) {
    const event = anEvent();
    await streamWith(server, [event]);
    const other = server.newStream();
    const { nextExpectedRevision } = await append(server, other, event);
    return { revision: Number(nextExpectedRevision), events: await count(server, other) };
  },
  async 'two callers with one expected revision'(server) {
    const stream = server.newStream();
    const outcomes = await Promise.allSettled(
      [anEvent(), anEvent()].map((event) => append(server, stream, event, 'no_stream')),
    );
    return outcomes.map(({ status }) => status).toSorted();
  },
};
