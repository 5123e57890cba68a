import type { Logger } from 'pino';
import { SOURCE_TOPIC } from '../../contracts/asynchronous.ts';
import { DeliveryAnswer, type Notification } from '../../contracts/notification.ts';
import { createOutage } from '../../resilience/outage.ts';

const LONGEST_ANSWER = 100_000;
const LONGEST_QUOTE = 300;

/** One attempt to deliver a message. Resolves to true where no further one is needed; may also reject. */
export type Deliver = (message: Notification, signal: AbortSignal) => Promise<boolean>;

/** A message as CloudEvents JSON: its own fields stay at the top only where it is sent as what it is. */
const post = (url: string, message: Notification, { token, signal }: { token: string | null; signal: AbortSignal }) =>
  fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/cloudevents+json',
      ...(token === null ? {} : { 'dapr-api-token': token }),
    },
    body: JSON.stringify(message),
    signal,
  });

/** Like the sidecar: an explicit status counts, 404 drops the message, any other answer means a retry. */
const isSettled = async (response: Response): Promise<boolean> => {
  if (response.status === 404) {
    await response.body?.cancel();
    return true;
  }
  const text = (await response.text()).slice(0, LONGEST_ANSWER);
  if (!response.ok) return false;
  try {
    return DeliveryAnswer.parse(JSON.parse(text)).status !== 'RETRY';
  } catch {
    return false;
  }
};

/** Delivers directly to BudApp's `/notifications`, with the token that a sidecar would send. */
export const deliverTo =
  ({ url, token }: { url: string; token: string }): Deliver =>
  async (message, signal) =>
    isSettled(await post(url, message, { token, signal }));

/** The sidecar of a service, and its component for messages. */
export interface Publisher {
  http_port: number;
  api_token: string | null;
  pubsub_name: string;
  log: Logger;
}

/** Over pub/sub: settled as soon as the service's own sidecar has put the message on the topic. */
export const publishOver = ({ http_port, api_token, pubsub_name, log }: Publisher): Deliver => {
  const where = `127.0.0.1:${http_port}`;
  const url = `http://${where}/v1.0/publish/${encodeURIComponent(pubsub_name)}/${SOURCE_TOPIC}`;
  const outage = createOutage<object>({
    logger: log,
    failing: (fields) => ({
      message: `the sidecar at ${where} takes no messages: look at DAPR_HTTP_PORT, DAPR_API_TOKEN and its component ${pubsub_name} (DAPR_PUBSUB_NAME)`,
      fields,
    }),
    working: `the sidecar at ${where} takes messages again`,
  });
  const fail = (what: object): boolean => {
    outage.failed(what);
    return false;
  };
  return async (message, signal) => {
    try {
      const response = await post(url, message, { token: api_token, signal });
      const answer = (await response.text()).slice(0, LONGEST_QUOTE);
      if (!response.ok) return fail({ status: response.status, answer });
      outage.ok();
      return true;
    } catch (error) {
      return fail({ err: error });
    }
  };
};
