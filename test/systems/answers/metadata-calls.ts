import { setTimeout as delay } from 'node:timers/promises';
import { BACKWARDS, binaryEvent, END, type ResolvedEvent } from '@eventstore/db-client';
import { all, anEvent, append, type Calls, numbered, numberOf, refusalOf, type Server, streamWith } from './call.ts';

const contents = (events: ResolvedEvent[]): unknown[] =>
  events.map((resolved) => [Number(resolved.event?.revision), numberOf(resolved)]);

const revisions = async ({ client }: Server, stream: string): Promise<number[]> =>
  (await all(client.readStream(stream))).map(({ event }) => Number(event?.revision));

const withMaxCount = async (server: Server): Promise<string> => {
  const stream = await streamWith(server, numbered(5, 1));
  await server.client.setStreamMetadata(stream, { maxCount: 2 });
  return stream;
};

const linkTo = async (server: Server, target: string): Promise<string> => {
  const stream = server.newStream();
  await append(server, stream, binaryEvent({ type: '$>', data: Buffer.from(`0@${target}`) }));
  return stream;
};

const AGE_MS = 1000;
const LONGEST_WAIT_MS = 5000;

/** What a stream's metadata hides, and links. */
export const metadataCalls: Calls = {
  async '$maxCount 2 of 5'(server) {
    return contents(await all(server.client.readStream(await withMaxCount(server))));
  },
  async '$maxCount 2 of 5, backwards'(server) {
    const options = { direction: BACKWARDS, fromRevision: END } as const;
    return contents(await all(server.client.readStream(await withMaxCount(server), options)));
  },
  async '$tb 3 of 5'(server) {
    const stream = await streamWith(server, numbered(5));
    await server.client.setStreamMetadata(stream, { truncateBefore: 3 });
    const read = await revisions(server, stream);
    return { read, appended: Number((await append(server, stream, anEvent())).nextExpectedRevision) };
  },
  async '$tb behind all, then appended as to no stream'(server) {
    const stream = await streamWith(server, numbered(2));
    await server.client.setStreamMetadata(stream, { truncateBefore: 2 });
    const read = await revisions(server, stream);
    const appended = Number((await append(server, stream, anEvent())).nextExpectedRevision);
    return { read, appended, to_none: await append(server, stream, anEvent(), 'no_stream').catch(refusalOf) };
  },
  async '$maxAge 1 s, after more than that'(server) {
    const stream = await streamWith(server, numbered(1));
    await server.client.setStreamMetadata(stream, { maxAge: AGE_MS / 1000 });
    // The clock of the server decides, and a machine may be slow.
    for (const end = performance.now() + LONGEST_WAIT_MS; performance.now() < end; await delay(100))
      if ((await revisions(server, stream)).length === 0) return [];
    return revisions(server, stream);
  },
  async 'a link, resolved and not'(server) {
    const target = await streamWith(server, [anEvent('x')]);
    const stream = await linkTo(server, target);
    const [plain] = await all(server.client.readStream(stream));
    const [resolved] = await all(server.client.readStream(stream, { resolveLinkTos: true }));
    return {
      plain: [plain?.event?.type, plain?.link === undefined],
      resolved: [resolved?.event?.type, resolved?.event?.data, Number(resolved?.link?.revision)],
    };
  },
  async 'a link to nothing, resolved'(server) {
    const stream = await linkTo(server, server.newStream());
    const [resolved] = await all(server.client.readStream(stream, { resolveLinkTos: true }));
    return {
      event: resolved?.event === undefined ? null : resolved.event.type,
      link: Number(resolved?.link?.revision),
    };
  },
};
