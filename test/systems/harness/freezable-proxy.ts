import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

export interface FreezableProxy {
  /** `127.0.0.1:<port>` */
  address: string;
  /** From now on it takes connections and bytes as far as buffers go, and passes nothing on: a peer that has fallen silent. */
  freeze(): void;
  /** Passes on what waits, and everything from now on. */
  thaw(): void;
  /** Cuts all connections. */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between a client and the server at `target` (`host:port`), on loopback. */
export const startFreezableProxy = async (target: string): Promise<FreezableProxy> => {
  const { hostname, port } = new URL(`tcp://${target}`);
  const sockets = new Set<Socket>();
  let frozen = false;

  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
    socket.on('data', (bytes) => {
      if (!other.write(bytes)) socket.pause();
    });
    other.on('drain', () => {
      if (!frozen) socket.resume();
    });
    if (frozen) socket.pause();
  };

  const server = createServer((near) => {
    const far = dial(Number(port), hostname);
    keep(near, far);
    keep(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port');

  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${bound.port}`,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut,
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
};
