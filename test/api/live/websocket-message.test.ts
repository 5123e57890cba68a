import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { WebSocket, WebSocketServer } from 'ws';
import { webSocketMessage } from '../../../src/api/live/websocket-message.ts';

describe('a text as one WebSocket message', () => {
  it('arrives as it was at each boundary of the header, also between messages of the library', async () => {
    const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000].map((length) => 'x'.repeat(length)).concat('für 模型');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, { socket: connection }) => {
      for (const text of texts) {
        connection.write(webSocketMessage(text));
        socket.ping();
        socket.send(text);
      }
      socket.close();
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it listens on no port');
    const client = new WebSocket(`ws://127.0.0.1:${address.port}`);
    const received: string[] = [];
    client.on('message', (data, isBinary) => {
      expect(isBinary).to.equal(false);
      received.push(String(data));
    });
    const [code] = await once(client, 'close');
    expect(code).to.equal(1005);
    expect(received).to.deep.equal(texts.flatMap((text) => [text, text]));
    sockets.close();
    server.close();
  });
});
