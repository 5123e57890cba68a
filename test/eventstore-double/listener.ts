import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import gossipService from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { appendHandler } from './calls/append.ts';
import { batchAppendHandler } from './calls/batch-append.ts';
import { deleteHandler, tombstoneHandler } from './calls/deletion.ts';
import { readHandler } from './calls/read-handler.ts';
import { gossipHandler, supportedMethodsHandler } from './discovery.ts';
import type { Node } from './node.ts';

export const HOST = '127.0.0.1';

/** The real server takes records of 16 MiB. */
const MAX_MESSAGE_BYTES = 17 * 1024 * 1024;

/** PEM. */
export interface Tls {
  certificate: string;
  key: string;
}

const grpcServer = (node: Node): Server => {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  const { read, ...methods } = streamsService.StreamsService;
  const streams = { ...methods, read: { ...read, responseSerialize: (message: Buffer) => message } };
  server.addService(streams, {
    read: readHandler(node),
    append: appendHandler(node),
    batchAppend: batchAppendHandler(node),
    delete: deleteHandler(node),
    tombstone: tombstoneHandler(node),
  });
  server.addService(gossipService.GossipService, { read: gossipHandler(node) });
  server.addService(featuresService.ServerFeaturesService, { getSupportedMethods: supportedMethodsHandler(node) });
  return server;
};

const serverCredentials = (tls: Tls | undefined): ServerCredentials =>
  tls === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(null, [
        { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) },
      ]);

/** A gRPC server whose connections can be cut one by one, and that can leave its port and come back to it. */
export interface Listener {
  port: number;
  isOpen(): boolean;
  open(): Promise<void>;
  /** Cuts the connection from this peer, or all where none is given. */
  drop(peer?: string): void;
  /** Gives the port up and cuts all connections. */
  close(): Promise<void>;
  destroy(): Promise<void>;
}

export const listen = async (node: Node, port: number, tls?: Tls): Promise<Listener> => {
  const server = grpcServer(node);
  const injector = server.createConnectionInjector(serverCredentials(tls));
  const sockets = new Map<string, Socket>();
  const tcp = createServer((socket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    sockets.set(peer, socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(peer));
    injector.injectConnection(socket);
  });

  const open = async (at: number): Promise<number> => {
    tcp.listen(at, HOST);
    await once(tcp, 'listening');
    return (tcp.address() as AddressInfo).port;
  };
  const drop = (peer?: string): void => {
    const cut = peer === undefined ? [...sockets.values()] : [sockets.get(peer)];
    for (const socket of cut) socket?.resetAndDestroy();
  };
  const close = async (): Promise<void> => {
    if (!tcp.listening) return;
    const closed = once(tcp, 'close');
    tcp.close();
    drop();
    await closed;
  };
  const bound = await open(port);

  return {
    port: bound,
    isOpen: () => tcp.listening,
    async open() {
      if (!tcp.listening) await open(bound);
    },
    drop,
    close,
    async destroy() {
      await close();
      injector.destroy();
      server.forceShutdown();
    },
  };
};
