const FINAL_TEXT = 0x81;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

const headerOf = (length: number): Buffer => {
  if (length < TWO_BYTES) return Buffer.from([FINAL_TEXT, length]);
  const header = Buffer.alloc(length < 2 ** 16 ? 4 : 10);
  header[0] = FINAL_TEXT;
  header[1] = header.length === 4 ? TWO_BYTES : EIGHT_BYTES;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return header;
};

/**
 * A text as a server sends it in one WebSocket message, without mask (RFC 6455, 5.2). The library makes the bytes anew for
 * each client, which is most of what a frame to a thousand clients costs.
 */
export const webSocketMessage = (text: string): Buffer => {
  const payload = Buffer.from(text);
  return Buffer.concat([headerOf(payload.length), payload]);
};
