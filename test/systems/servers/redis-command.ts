import { connect } from 'node:net';

const PATIENCE_MS = 5000;

interface RedisAddress {
  port: number;
  password: string;
}

const encode = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

interface Reply {
  value: string | null;
  refused: boolean;
  rest: string;
}

/** The first reply in the text; null where it is not whole yet. Lists are not understood. */
const parseReply = (text: string): Reply | null => {
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return null;
  const line = text.slice(1, lineEnd);
  const after = text.slice(lineEnd + 2);
  if (text[0] !== '$') return { value: line, refused: text[0] === '-', rest: after };
  const length = Number(line);
  if (length < 0) return { value: null, refused: false, rest: after };
  return after.length < length + 2
    ? null
    : { value: after.slice(0, length), refused: false, rest: after.slice(length + 2) };
};

/** Logs in, sends one command with ASCII replies, answers its reply. Rejects with the server's words where it refuses. */
export const askRedis = ({ port, password }: RedisAddress, words: readonly string[]): Promise<string | null> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const end = (finish: () => void): void => {
      socket.destroy();
      finish();
    };
    let text = '';
    socket.setTimeout(PATIENCE_MS, () => end(() => reject(new Error(`redis does not answer ${words[0]}`))));
    socket.once('error', (error) => end(() => reject(error)));
    socket.once('close', () => reject(new Error('redis hung up')));
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
      const login = parseReply(text);
      if (login === null) return;
      const reply = login.refused ? login : parseReply(login.rest);
      if (reply === null) return;
      end(() => (reply.refused ? reject(new Error(`redis: ${reply.value}`)) : resolve(reply.value)));
    });
    socket.write(encode(['auth', password]) + encode(words));
  });
