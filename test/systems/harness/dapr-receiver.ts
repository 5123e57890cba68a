import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Notification } from '../../../src/contracts/notification.ts';

interface Delivery {
  /** As it stands in the body. */
  message: Notification;
  token: unknown;
}

type Status = 'SUCCESS' | 'RETRY' | 'DROP';

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** Plays BudApp behind its sidecar, on a port that stays its own while it is stopped. */
export const createDaprReceiver = (port: number) => {
  const received: Delivery[] = [];
  const questions: string[] = [];
  const listeners = new Set<() => void>();
  let server: Server | null = null;
  let answer = (_message: Notification): Status => 'SUCCESS';
  let questionsAnswered = 404;

  const receive = async (request: IncomingMessage): Promise<{ status: Status }> => {
    const message = JSON.parse(await bodyOf(request)) as Notification;
    const status = answer(message);
    received.push({ message, token: request.headers['dapr-api-token'] });
    for (const listener of [...listeners]) listener();
    return { status };
  };

  return {
    received,
    /** Paths that the sidecar asked for on its own. */
    questions,
    answerWith(next: typeof answer) {
      answer = next;
    },
    /** With which status it answers `GET /dapr/subscribe` and the like; 404: there is no such thing. */
    answerQuestionsWith(status: number) {
      questionsAnswered = status;
    },
    deliveriesOf: (id: string) => received.filter(({ message }) => message.id === id).length,
    /** Resolves once the deliveries fulfil the condition; the test's own time-out bounds it. */
    until(condition: (deliveries: readonly Delivery[]) => boolean): Promise<void> {
      return new Promise((resolve) => {
        const look = () => {
          if (!condition(received)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      });
    },
    async start() {
      server = createServer(async (request, response) => {
        response.setHeader('content-type', 'application/json');
        if (request.method === 'POST') {
          response.end(JSON.stringify(await receive(request)));
          return;
        }
        questions.push(request.url ?? '');
        response.writeHead(questionsAnswered).end('{}');
      });
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
    },
    async stop() {
      const stopping = server;
      server = null;
      if (stopping === null) return;
      stopping.closeAllConnections();
      await new Promise((resolve) => stopping.close(resolve));
    },
  };
};
export type DaprReceiver = ReturnType<typeof createDaprReceiver>;
