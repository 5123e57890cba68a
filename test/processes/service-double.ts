import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  path: string;
  body: string;
}

export interface ServiceDouble {
  url: string;
  /** Every request so far, in order. */
  asked: Asked[];
  /** What is answered from now on; `hang` never answers. */
  answer: (asked: Asked, earlier: number) => { status: number; body: unknown } | 'hang';
  /** Resolves once there are so many requests. */
  count(wanted: number): Promise<void>;
  close(): Promise<void>;
}

/** A double of the model service: it understands nothing, accepts everything, and remembers what it was asked. */
export const openServiceDouble = async (): Promise<ServiceDouble> => {
  const waiting: { wanted: number; resolve: () => void }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const asked = { path: request.url ?? '', body: Buffer.concat(chunks).toString() };
    const answer = double.answer(asked, double.asked.length);
    double.asked.push(asked);
    for (const { wanted, resolve } of waiting) if (double.asked.length >= wanted) resolve();
    if (answer === 'hang') return;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const double: ServiceDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer: () => ({ status: 200, body: { workflow_id: 'theirs-1' } }),
    count: (wanted) =>
      new Promise((resolve) => {
        if (double.asked.length >= wanted) resolve();
        else waiting.push({ wanted, resolve });
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
};
