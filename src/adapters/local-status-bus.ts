import type { Logger } from 'pino';
import type { StatusBus, StatusMessage } from '../ports/status-bus.ts';
import { isPattern, subjectMatches } from './subject-pattern.ts';

interface Subscription {
  pattern: string;
  handler(message: StatusMessage): void;
}

/**
 * Carries status messages within one process, where `NATS_URL` is not set. As over NATS, a message is delivered after
 * `publish` has returned, in the order of publishing, at most once; a handler that throws does not affect the others.
 */
export const createLocalStatusBus = ({ log }: { log: Logger }): StatusBus => {
  const subscriptions = new Set<Subscription>();
  let closed = false;

  const deliver = (message: StatusMessage): void => {
    for (const subscription of [...subscriptions]) {
      // An earlier handler may have ended this subscription.
      if (!subscriptions.has(subscription) || !subjectMatches(subscription.pattern, message.subject)) continue;
      try {
        subscription.handler(message);
      } catch (error) {
        log.error({ err: error, pattern: subscription.pattern, subject: message.subject }, 'a status handler failed');
      }
    }
  };

  return {
    async publish(message) {
      if (closed) throw new Error('the status bus is closed');
      setImmediate(deliver, message);
    },
    async subscribe(pattern, handler) {
      if (closed) throw new Error('the status bus is closed');
      if (!isPattern(pattern)) throw new Error(`"${pattern}" is not a subject pattern`);
      const subscription = { pattern, handler };
      subscriptions.add(subscription);
      return () => {
        subscriptions.delete(subscription);
      };
    },
    async close() {
      closed = true;
      subscriptions.clear();
    },
  };
};
