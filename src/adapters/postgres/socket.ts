import { Socket } from 'node:net';

const connectionError = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/**
 * Makes the sockets of a pool (its option `stream`). A socket without traffic for `silence_ms` is closed, so that a
 * statement does not wait for ever for a frozen or vanished server. That error, and the one of a connection closed by
 * the server, carry Node's codes for failures that may pass; the driver's own errors have no code.
 */
export const createPostgresSocket = ({ silence_ms }: { silence_ms: number }): Socket => {
  const socket = new Socket();
  socket.setTimeout(silence_ms, () => {
    socket.destroy(connectionError('ETIMEDOUT', `Postgres has not answered for ${silence_ms / 1000} s`));
  });
  socket.once('end', () => socket.destroy(connectionError('ECONNRESET', 'Postgres has closed the connection')));
  return socket;
};
