import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type StoredEvent, storedEventOf } from './stored-event.ts';

/** Each record: length and CRC-32 of its body, then the events of one write, each after its length. */
const HEADER_BYTES = 8;
const LENGTH_BYTES = 4;

const encode = (events: readonly StoredEvent[]): Buffer => {
  const body = Buffer.concat(
    events.flatMap(({ bytes }) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(body.length, 0);
  header.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([header, body]);
};

const decode = (body: Buffer): StoredEvent[] => {
  const events: StoredEvent[] = [];
  for (let at = 0; at < body.length; ) {
    const start = at + LENGTH_BYTES;
    at = start + body.readUInt32BE(at);
    events.push(storedEventOf(body.subarray(start, at)));
  }
  return events;
};

/** The whole records at the start of the file; what a crash left unfinished behind them is nobody's answer. */
const readRecords = (content: Buffer): { events: StoredEvent[]; wholeBytes: number } => {
  const events: StoredEvent[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= content.length) {
    const body = content.subarray(at + HEADER_BYTES, at + HEADER_BYTES + content.readUInt32BE(at));
    if (body.length < content.readUInt32BE(at) || crc32(body) !== content.readUInt32BE(at + 4)) break;
    events.push(...decode(body));
    at += HEADER_BYTES + body.length;
  }
  return { events, wholeBytes: at };
};

const writeAll = async (file: FileHandle, content: Buffer, from: number): Promise<void> => {
  for (let written = 0; written < content.length; )
    written += (await file.write(content, written, content.length - written, from + written)).bytesWritten;
  await file.datasync();
};

/** The log on disk: what was answered survives a `kill -9`. */
export interface Journal {
  /** What it held when it was opened. */
  events: readonly StoredEvent[];
  /** Each write is a record of its own, whole or not there. Resolves when all are on disk. */
  append(writes: readonly (readonly StoredEvent[])[]): Promise<void>;
  /** Forgets everything and holds these instead. */
  rewrite(events: readonly StoredEvent[]): Promise<void>;
  close(): Promise<void>;
}

export const openJournal = async (path: string): Promise<Journal> => {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  const { events, wholeBytes } = readRecords(await file.readFile());
  let end = wholeBytes;
  await file.truncate(end);

  const append = async (writes: readonly (readonly StoredEvent[])[]): Promise<void> => {
    const content = Buffer.concat(writes.map(encode));
    await writeAll(file, content, end);
    end += content.length;
  };

  return {
    events,
    append,
    async rewrite(kept) {
      await file.truncate(0);
      end = 0;
      await append(kept.map((event) => [event]));
    },
    close: () => file.close(),
  };
};
