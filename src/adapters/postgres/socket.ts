import { Socket } from 'node:net';

const lost = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/**
 * Makes the sockets of a pool (its option `stream`). One on which nothing moves for `silence_ms` is given up, so that
 * whoever waits on it for an answer does not wait for ever: a server that was frozen, or went away with its machine, says
 * nothing. Both that and a connection that is just closed carry a code of Node's, which says of an error that it may pass;
 * the driver's own errors have none.
 */
export const createPostgresSocket = ({ silence_ms }: { silence_ms: number }): Socket => {
  const socket = new Socket();
  socket.setTimeout(silence_ms, () => {
    socket.destroy(lost('ETIMEDOUT', `Postgres has said nothing for ${silence_ms / 1000} s`));
  });
  socket.once('end', () => socket.destroy(lost('ECONNRESET', 'Postgres has closed the connection')));
  return socket;
};
