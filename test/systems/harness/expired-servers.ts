import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { aCertificate } from '../../certificate.ts';

export interface ExpiredServer {
  port: number;
  close(): Promise<void>;
}

const listen = async (server: Server, open: Set<Socket>): Promise<ExpiredServer> => {
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on no port');
  return {
    port: address.port,
    close: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};

/** A server that shakes hands over TLS with a certificate that has expired; what it would say then nobody gets to hear. */
export const startExpiredTls = async (): Promise<ExpiredServer> => {
  const { certificate: cert, key } = await aCertificate({ expired: true });
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2', 'http/1.1'] });
  server.on('tlsClientError', () => undefined);
  return listen(server, new Set());
};

/** The same for Postgres, whose clients ask first, in clear, whether the server speaks TLS. */
export const startExpiredPostgres = async (): Promise<ExpiredServer> => {
  const { certificate: cert, key } = await aCertificate({ expired: true });
  const server = createTcpServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      new TLSSocket(socket, { isServer: true, cert, key }).on('error', () => undefined);
    });
  });
  return listen(server, new Set());
};
