import { binaryEvent } from '@eventstore/db-client';
import { all, anEvent, append, type Call, type Calls, numbered, type Server, shown, streamWith } from './call.ts';

const named =
  (name: (unique: string) => string): Call =>
  async (server) => {
    const stream = name(server.newStream());
    const { nextExpectedRevision } = await append(server, stream, anEvent());
    return { revision: Number(nextExpectedRevision), read: (await all(server.client.readStream(stream))).length };
  };

const NAMES: Readonly<Record<string, (unique: string) => string>> = {
  'with $ before it': (unique) => `$odd-${unique}`,
  'with $$ before it': (unique) => `$$odd-${unique}`,
  'with a space': (unique) => `with space ${unique}`,
  'of other alphabets': (unique) => `ümlaut-ж-${unique}`,
  'with signs of a URL': (unique) => `a/b?c#d-${unique}`,
  'of 1000 characters': (unique) => unique.padEnd(1000, 'x'),
  'that begins with a space': (unique) => ` lead-${unique}`,
  'of two lines': (unique) => `new\nline-${unique}`,
  'that ends with a tab': (unique) => `${unique}\t`,
  'of a category': (unique) => `$ce-${unique}`,
  'that begins with a hyphen': (unique) => `-${unique}`,
  'with a null character': (unique) => `\u0000nul-${unique}`,
};

const typed =
  (type: string): Call =>
  async (server) => {
    const stream = server.newStream();
    const { nextExpectedRevision } = await append(server, stream, anEvent({ n: 1 }, type));
    const read = await all(server.client.readStream(stream));
    return { revision: Number(nextExpectedRevision), type_lengths: read.map(({ event }) => event?.type.length) };
  };

const TYPES = ['', '$mine', '$>', 'ж'.repeat(300), 'with space', 'a'.repeat(5000)];

const DATA: readonly unknown[] = [
  null,
  0,
  '',
  [],
  {},
  'text',
  { deep: { a: [1, { b: null }] } },
  { u: '\u0000' },
  { u: '\ud800' },
  1e308,
  { big: 2 ** 53 },
];

const withData =
  (data: unknown): Call =>
  async (server) => {
    const stream = await streamWith(server, [anEvent(data)]);
    return (await all(server.client.readStream(stream))).map(({ event }) => event?.data);
  };

const binary =
  (event: Omit<Parameters<typeof binaryEvent>[0], 'type'>): Call =>
  async (server) => {
    const stream = server.newStream();
    await append(server, stream, binaryEvent({ type: 'b', ...event }));
    return (await all(server.client.readStream(stream))).map((read) => shown(read, stream));
  };

const lastRevision = async (server: Server, events: Parameters<typeof append>[2]): Promise<{ revision: number }> => {
  const { nextExpectedRevision } = await append(server, server.newStream(), events);
  return { revision: Number(nextExpectedRevision) };
};

const sized =
  (kibibytes: number, count: number): Call =>
  (server) =>
    lastRevision(
      server,
      Array.from({ length: count }, () =>
        binaryEvent({ type: 'large', data: new Uint8Array((kibibytes * 1024) / count) }),
      ),
    );

const SIZES = [900, 1000, 1023, 1024, 1025, 1500, 5000];

/** Names, types, contents and sizes. */
export const contentCalls: Calls = {
  ...Object.fromEntries(Object.entries(NAMES).map(([what, name]) => [`a stream's name ${what}`, named(name)])),
  async 'a stream without a name'(server) {
    return { revision: Number((await append(server, '', anEvent())).nextExpectedRevision) };
  },
  ...Object.fromEntries(
    TYPES.map((type) => [`a type ${JSON.stringify(type).slice(0, 12)} of ${type.length} characters`, typed(type)]),
  ),
  ...Object.fromEntries(DATA.map((data) => [`data ${JSON.stringify(data)}`, withData(data)])),
  'binary data without metadata': binary({ data: new Uint8Array(3) }),
  'binary data and metadata': binary({ data: new Uint8Array(1), metadata: new Uint8Array(2) }),
  'binary data of no length': binary({ data: new Uint8Array() }),
  ...Object.fromEntries(
    SIZES.flatMap((size) => [1, 4].map((count) => [`${size} KiB of data in ${count}`, sized(size, count)])),
  ),
  async '1000 events in one append'(server) {
    const stream = await streamWith(server, numbered(1000));
    return { events: (await all(server.client.readStream(stream))).length };
  },
  async 'an append with a deadline of 1 ms'({ client, newStream }) {
    return (await client.appendToStream(newStream(), numbered(1000), { deadline: 1 })).success;
  },
  '50,000 events in one append': (server) =>
    lastRevision(
      server,
      Array.from({ length: 50_000 }, () => binaryEvent({ type: 't', data: new Uint8Array(1) })),
    ),
};
