import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { eventually } from '../../eventually.ts';
import { checkedFetch } from '../checked-fetch.ts';
import { type RunningApi, startApi } from '../running-api.ts';

/** A tenth of what it is in production: after 1 s the log is given up, as after 10 s there. */
const TIMEOUTS = { timeout: 1000, attemptTimeout: 400, pageTimeout: 1000 };
/** In the outage a stream is opened after 2 s, and access is looked up before. */
const MAX_OPEN_MS = 8000;

interface Message {
  type: string;
  position?: string;
  data: { name?: string };
}

interface Listening {
  messages: Message[];
  hasEnded(): boolean;
  close(): void;
}

const namesOf = ({ messages }: Listening) =>
  messages.filter(({ type }) => type === 'bud.project.project-created').map(({ data }) => data.name);

const overSse = async (api: RunningApi, query: string): Promise<Listening & { comments(): number }> => {
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${api.admin.token}` };
  const url = new URL(`/stream/events?area=project&${query}`, api.url);
  const start = performance.now();
  const response = await checkedFetch(url, { headers, signal: abort.signal });
  expect(performance.now() - start, 'milliseconds until the stream is open').to.be.below(MAX_OPEN_MS);
  expect(response.status).to.equal(200);
  const messages: Message[] = [];
  let text = '';
  let ended = false;
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      const whole = text.slice(0, text.lastIndexOf('\n\n') + 2);
      const data = [...whole.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
      messages.splice(0, messages.length, ...data);
    }
  };
  read()
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    });
  return {
    messages,
    comments: () => [...text.matchAll(/^:/gm)].length,
    hasEnded: () => ended,
    close: () => abort.abort(),
  };
};

const overWebSocket = async (api: RunningApi, query: string): Promise<Listening> => {
  const headers = { authorization: `Bearer ${api.admin.token}` };
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?area=project&${query}`, { headers });
  const messages: Message[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  await once(socket, 'open');
  return { messages, hasEnded: () => socket.readyState !== WebSocket.OPEN, close: () => socket.close() };
};

describe('the live stream while the log is away', () => {
  let double: EventStoreDouble;
  let api: RunningApi;
  const listening: Listening[] = [];

  before(async () => {
    double = await createEventStoreDouble();
    const logger = createLogger({ level: 'silent' });
    api = await startApi({}, { openLog: () => createEventStoreLog({ url: double.url, logger, ...TIMEOUTS }) });
    await api.admin.get('/auth/me');
  });
  after(async () => {
    for (const each of listening) each.close();
    await api?.close();
    await double?.close();
  });

  const opened = async <L extends Listening>(opening: Promise<L>): Promise<L> => {
    const listener = await opening;
    listening.push(listener);
    return listener;
  };

  it('stays open and can be opened, and nothing is missed', async () => {
    await api.admin.post('/projects', { name: 'first' });
    const { headers } = await api.admin.post('/projects', { name: 'before' });
    const after = `from=${headers.get('position')}`;
    const old = [await opened(overSse(api, 'from=start')), await opened(overWebSocket(api, 'from=start'))];
    for (const each of old) await eventually('the history has come', () => namesOf(each).includes('before'));

    await double.stop();
    const fresh = await opened(overSse(api, ''));
    const [all, continued, ...others] = await Promise.all([
      opened(overSse(api, 'from=start')),
      opened(overSse(api, after)),
      opened(overWebSocket(api, '')),
      opened(overWebSocket(api, 'from=start')),
      opened(overWebSocket(api, after)),
    ]);
    await eventually('the log has been given up again and again, and the client was told', () => fresh.comments() > 2);
    expect(listening.map((each) => each.hasEnded())).to.not.include(true);

    await double.start();
    await eventually('the log is back', async () => {
      const { status } = await api.admin.post('/projects', { name: 'after' });
      return status === 201;
    });
    for (const each of listening) await eventually('it goes on', () => namesOf(each).includes('after'));
    const [now, begun, since] = others;
    for (const each of [...old, all, begun]) {
      expect(namesOf(each ?? fresh).filter((name) => !name?.startsWith('default'))).to.deep.equal([
        'first',
        'before',
        'after',
      ]);
    }
    for (const each of [fresh, continued, now, since]) expect(namesOf(each ?? all)).to.deep.equal(['after']);
    expect(listening.map((each) => each.hasEnded())).to.not.include(true);
  });
});
