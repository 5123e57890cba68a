import { existsSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../../eventually.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';

const BOUNDARY = 'parts';
const OPEN_FILES = '/proc/self/fd';

const part = (disposition: string, content: string): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
const field = (name: string, value: string): string => part(`name="${name}"`, value);
const file = (name: string, file_name = 'm.onnx'): string => part(`name="${name}"; filename="${file_name}"`, 'weights');

/** What a form may not have, in the fields and the name of the file of an upload. */
const WRONG: Readonly<Record<string, string>> = {
  'an unknown field': field('colour', 'red'),
  'a field without a name': part('x="y"', 'red'),
  'a field that is too long': field('description', 'x'.repeat(64 * 1024 + 1)),
  'a field with NUL': field('description', 'a\0b'),
  'too many fields': field('tags', 'a').repeat(65),
  'a field given twice': field('sha256', 'f'.repeat(64)).repeat(2),
  'a checksum that is none': field('sha256', 'short'),
  'an unknown file': file('other'),
  'two files': file('file').repeat(2),
  'a file without a name': file('file', ''),
};

/** Each order of the wrong part and the right ones. */
const formsWith = (wrong: string): string[][] => [
  [wrong, field('name', 'formed'), file('file')],
  [field('name', 'formed'), wrong, file('file')],
  [field('name', 'formed'), file('file'), wrong],
];

/** Each way in which the parts can arrive: all in one piece, part by part, and in halves of parts. */
const WAYS: Readonly<Record<string, (parts: readonly string[]) => string[]>> = {
  'in one piece': (parts) => [parts.join('')],
  'part by part': (parts) => [...parts],
  'cut in the middle of each part': (parts) =>
    parts.flatMap((text) => [text.slice(0, text.length / 2), text.slice(text.length / 2)]),
};

describe('refused forms', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  /** The files of the store that this process has open, on a system that shows them. */
  const opened = async (): Promise<string[]> => {
    if (!existsSync(OPEN_FILES)) return [];
    const links = await readdir(OPEN_FILES);
    const targets = await Promise.all(links.map((link) => readlink(join(OPEN_FILES, link)).catch(() => '')));
    return targets.filter((target) => target.startsWith(api.folder));
  };

  const bodyOf = (pieces: readonly string[]): ReadableStream<Uint8Array> =>
    new ReadableStream({
      async start(controller) {
        for (const piece of [...pieces, `--${BOUNDARY}--\r\n`]) {
          controller.enqueue(new TextEncoder().encode(piece));
          await new Promise(setImmediate);
        }
        controller.close();
      },
    });

  const send = (path: string, pieces: readonly string[], key?: string): Promise<Reply> =>
    api.request('POST', path, {
      headers: {
        authorization: `Bearer ${api.admin.token}`,
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: pieces.length === 1 ? `${pieces[0]}--${BOUNDARY}--\r\n` : bodyOf(pieces),
      duplex: 'half',
      signal: AbortSignal.timeout(5000),
    });

  for (const [what, wrong] of Object.entries(WRONG)) {
    it(`answers ${what} wherever it stands, however it arrives, and leaves nothing of it`, async () => {
      for (const [way, cut] of Object.entries(WAYS)) {
        for (const [at, parts] of formsWith(wrong).entries()) {
          const key = `${what} ${way} ${at}`;
          const reply = await send('/models/local', cut(parts), key);
          expect(reply.status, `${key}: ${JSON.stringify(reply.body)}`).to.be.oneOf([400, 422]);
          expect([await api.storedFiles(), await opened()], key).to.deep.equal([[], []]);
          // Not that the first request is still running, or was another one.
          const again = await send('/models/local', cut(parts), key);
          expect(again.body.code, key).to.equal(reply.body.code);
        }
      }
    });
  }

  it('answers an unknown field before the configuration of a cluster', async () => {
    const parts = [field('name', 'formed'), field('colour', 'red'), file('configuration')];
    for (const cut of Object.values(WAYS)) {
      expect((await send('/clusters', cut(parts))).body).to.include({ status: 422, code: 'invalid-input' });
    }
  });

  it('ends an upload whose whole form has arrived, but whose client has gone before it is read', async () => {
    const key = 'gone at once';
    const form = `${field('name', 'gone')}${file('file')}--${BOUNDARY}--\r\n`;
    const lines = [
      'POST /models/local HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${api.admin.token}`,
      `Idempotency-Key: ${key}`,
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}`,
      `Content-Length: ${form.length}`,
    ];
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`${lines.join('\r\n')}\r\n\r\n${form}`, () => socket.resetAndDestroy());
    await gone;
    const again = async () => {
      const { status } = await send('/models/local', [`${field('name', 'gone')}${file('file')}`], key);
      return status === 202;
    };
    await eventually('the key is free again, or has its model', again);
    expect(await opened()).to.deep.equal([]);
  });
});
