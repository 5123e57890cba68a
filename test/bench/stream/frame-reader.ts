const TEXT = 1;

/** Reads the WebSocket frames of a server, which are not masked, and calls `onText` for each text message. */
export const createFrameReader = (onText: (text: () => string) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer | null = null;

  /** Where the frame at `at` begins its payload and where it ends; null where its header is not complete. */
  const extent = (bytes: Buffer, at: number): { begin: number; end: number } | null => {
    if (bytes.length < at + 2) return null;
    const short = (bytes[at + 1] ?? 0) & 127;
    const size = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < at + size) return null;
    const length = size === 2 ? short : size === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    return { begin: at + size, end: at + size + length };
  };

  return (chunk) => {
    const bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let frame = extent(bytes, at); frame !== null && frame.end <= bytes.length; frame = extent(bytes, at)) {
      const { begin, end } = frame;
      if (((bytes[at] ?? 0) & 15) === TEXT) onText(() => bytes.toString('utf8', begin, end));
      at = end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : null;
  };
};
