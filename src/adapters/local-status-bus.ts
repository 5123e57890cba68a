import type { Logger } from 'pino';
import type { StatusBus, StatusMessage } from '../ports/status-bus.ts';
import { isPattern, subjectMatches } from './subject-pattern.ts';

interface Subscription {
  pattern: string;
  handler(message: StatusMessage): void;
}

/**
 * Carries status messages inside one process, where no `NATS_URL` is set. As over NATS, a message is handed over after
 * `publish` returned, in the order of publishing, at most once; a handler that throws does not disturb the others.
 */
export const createLocalStatusBus = ({ log }: { log: Logger }): StatusBus => {
  const subscriptions = new Set<Subscription>();
  let closed = false;

  const deliver = (message: StatusMessage): void => {
    for (const subscription of [...subscriptions]) {
      // Somebody before it may have ended it.
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
