import {
  type AppendResult,
  BACKWARDS,
  convertToCommandError,
  END,
  isCommandError,
  type Position,
} from '@eventstore/db-client';
import { all, anEvent, append, type Calls, numbered, numberOf, type Server, streamWith } from './call.ts';

export const positionOf = ({ position }: AppendResult): Position => {
  if (position === undefined) throw new Error('an append without a position');
  return position;
};

/** So many bytes further. */
export const moved = ({ commit }: Position, bytes: bigint): Position => ({
  commit: commit + bytes,
  prepare: commit + bytes,
});

/** Whether an append of so many events answers commit and prepare position of its last event. */
const answersLast = async (server: Server, count: number): Promise<boolean[]> => {
  const stream = server.newStream();
  const { commit, prepare } = positionOf(await append(server, stream, numbered(count)));
  const last = (await all(server.client.readStream(stream))).at(-1)?.event?.position;
  return [commit === last?.commit, prepare === last?.prepare];
};

/** Reads and positions of `$all`. */
export const allCalls: Calls = {
  async 'all: appended one after the other'(server) {
    const name = server.newStream();
    const fromPosition = positionOf(await append(server, server.newStream(), anEvent()));
    for (let n = 0; n < 5; n += 1) await append(server, `${name}-${n % 2}`, [anEvent({ n }), anEvent({ n: n + 10 })]);
    const read = (await all(server.client.readAll({ fromPosition }))).filter(({ event }) =>
      event?.streamId.startsWith(name),
    );
    const commits = read.map(({ event }) => event?.position?.commit ?? -1n);
    return {
      events: read.map((resolved) => [
        resolved.event?.streamId.slice(name.length),
        Number(resolved.event?.revision),
        numberOf(resolved),
      ]),
      growing: commits.every((commit, n) => n === 0 || commit > commits[n - 1]!),
    };
  },
  async 'all: the event at a position is read'(server) {
    const stream = server.newStream();
    await append(server, stream, anEvent());
    const fromPosition = positionOf(await append(server, stream, anEvent()));
    const [read] = await all(server.client.readAll({ fromPosition, maxCount: 1 }));
    return read?.event?.streamId === stream && Number(read.event.revision);
  },
  'all: the position of an append of two is that of its last event': (server) => answersLast(server, 2),
  'all: the position of an append of one is that of its event': (server) => answersLast(server, 1),
  async 'all: from far beyond the end'(server) {
    const position = positionOf(await append(server, server.newStream(), anEvent()));
    return (await all(server.client.readAll({ fromPosition: moved(position, 10_000_000n) }))).length;
  },
  async 'all: from inside the last event'(server) {
    const position = positionOf(await append(server, server.newStream(), anEvent()));
    return (await all(server.client.readAll({ fromPosition: moved(position, 3n) }))).length;
  },
  async 'all: from inside an event, with more behind it'(server) {
    const position = positionOf(await append(server, server.newStream(), anEvent()));
    await append(server, server.newStream(), anEvent());
    try {
      return (await all(server.client.readAll({ fromPosition: moved(position, 3n) }))).length;
    } catch (error) {
      const known = error instanceof Error ? convertToCommandError(error) : null;
      if (known === null || !isCommandError(known)) throw error;
      return { refused: known.type, code: known.code, message: known.message };
    }
  },
  async 'all: from a commit below its prepare position'(server) {
    const { commit, prepare } = positionOf(await append(server, server.newStream(), anEvent()));
    return (await all(server.client.readAll({ fromPosition: { commit: commit - 1n, prepare } }))).length;
  },
  async 'all: backwards, those of a type'(server) {
    const type = server.newStream();
    await streamWith(server, [anEvent({}, type), anEvent(), anEvent({}, type)]);
    // Others may write to a real server meanwhile.
    const options = { direction: BACKWARDS, fromPosition: END, maxCount: 100 } as const;
    const read = await all(server.client.readAll(options));
    return read.filter(({ event }) => event?.type === type).map(({ event }) => Number(event?.revision));
  },
  async 'all: appends to many streams at once'(server) {
    const name = server.newStream();
    const fromPosition = positionOf(await append(server, server.newStream(), anEvent()));
    const streams = Array.from({ length: 30 }, (_, n) => `${name}-${n}`);
    await Promise.all(streams.map((stream) => append(server, stream, anEvent())));
    const read = (await all(server.client.readAll({ fromPosition })))
      .map(({ event }) => event?.streamId)
      .filter((stream) => stream?.startsWith(name));
    return read.join() === streams.join() ? 'in the order of the calls' : 'in another order';
  },
};
