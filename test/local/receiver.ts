import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import type { Notification } from '../../src/contracts/notification.ts';

export const silent = pino({ level: 'silent' });

/** Plays BudApp's `/notifications`: keeps what arrives, in order, and answers as it is told. */
export const startReceiver = async () => {
  const received: Notification[] = [];
  const tokens: unknown[] = [];
  const waiting: { until: (messages: Notification[]) => boolean; resolve: () => void }[] = [];
  let answer = (_message: Notification): { status: number; body: unknown } => ({
    status: 200,
    body: { status: 'SUCCESS' },
  });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const message = JSON.parse(Buffer.concat(chunks).toString()) as Notification;
    received.push(message);
    tokens.push(request.headers['dapr-api-token']);
    const { status, body } = answer(message);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    for (const each of [...waiting]) if (each.until(received)) each.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    received,
    tokens,
    callback: { url: `http://127.0.0.1:${port}/notifications`, token: 'the-token' },
    answerWith(next: typeof answer) {
      answer = next;
    },
    /** Resolves once the messages so far fulfil the condition; the test's own time-out bounds it. */
    until(condition: (messages: Notification[]) => boolean): Promise<void> {
      if (condition(received)) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ until: condition, resolve }));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
export type Receiver = Awaited<ReturnType<typeof startReceiver>>;

/** `event status` of each message of a workflow, in order of arrival. */
export const storyOf = (messages: readonly Notification[], workflow_id: string): string[] =>
  messages
    .filter((message) => message.payload?.workflow_id === workflow_id)
    .map(({ payload }) => `${payload?.event} ${payload?.content.status}`);

export const hasEnded =
  (workflow_id: string, times = 1) =>
  (messages: readonly Notification[]): boolean =>
    messages.filter(({ payload }) => payload?.workflow_id === workflow_id && payload.event === 'results').length >=
    times;

/** The content of the last `results` message of a workflow. */
export const resultOf = (messages: readonly Notification[], workflow_id: string) =>
  messages.findLast(({ payload }) => payload?.workflow_id === workflow_id && payload.event === 'results')?.payload
    ?.content;

export const failureOf = (messages: readonly Notification[], workflow_id: string, event: string): string | undefined =>
  messages.find(
    ({ payload }) =>
      payload?.workflow_id === workflow_id && payload.event === event && payload.content.status === 'FAILED',
  )?.payload?.content.message ?? undefined;

/** The two fields that every asynchronous request carries. */
export const asynchronous = (workflow_id: string) => ({
  notification_metadata: { name: 'bud-internal' as const, subscriber_ids: 'user-1', workflow_id },
  source_topic: 'budAppMessages',
});
