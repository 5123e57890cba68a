import type { Frame } from './frame.ts';

/** How a transport writes frames. The bytes of a frame are the same for all who get it. */
export interface Encoding {
  /** `cursor` is where a client comes back that has got the text; null where it has none. */
  encode(text: string, cursor: string | null): Buffer;
}

/** Frames that are written together. Whoever adds the same frames to the same batch has the same batch. */
export interface Batch {
  /** Null where it is empty. */
  last: Frame | null;
  with(frame: Frame): Batch;
  /** The length of its texts, in UTF-16 units. */
  size: number;
  /** All frames, joined; made once for each encoding. */
  bytes(encoding: Encoding): Buffer;
}

const bytesOfFrames = new WeakMap<Encoding, WeakMap<Frame, Buffer>>();

const bytesOf = (frame: Frame, encoding: Encoding): Buffer => {
  const known = bytesOfFrames.get(encoding) ?? new WeakMap<Frame, Buffer>();
  bytesOfFrames.set(encoding, known);
  const bytes = known.get(frame) ?? encoding.encode(frame.text(), frame.cursor);
  known.set(frame, bytes);
  return bytes;
};

const extended = (frames: readonly Frame[], size: number): Batch => {
  const longer = new Map<Frame, Batch>();
  const joined = new Map<Encoding, Buffer>();
  return {
    last: frames.at(-1) ?? null,
    size,
    with: (frame) => {
      const batch = longer.get(frame) ?? extended([...frames, frame], size + frame.text().length);
      longer.set(frame, batch);
      return batch;
    },
    bytes: (encoding) => {
      const bytes = joined.get(encoding) ?? Buffer.concat(frames.map((frame) => bytesOf(frame, encoding)));
      joined.set(encoding, bytes);
      return bytes;
    },
  };
};

/** A batch without frames, from which others are made. */
export const emptyBatch = (): Batch => extended([], 0);
