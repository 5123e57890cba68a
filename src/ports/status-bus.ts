import type { Closable } from './closable.ts';

export interface StatusMessage {
  /** `bud.status.<project or "-">.<kind>.<id>` */
  subject: string;
  /** CloudEvents 1.0 JSON, text. */
  payload: string;
}

export interface StatusSubscriptionOptions {
  /**
   * The connection was lost and is back, with the subscription in force: messages may have been missed, and perhaps none
   * will follow that would tell. Whoever must not miss any reads the log now.
   */
  onGap?: () => void;
}

/** Carries status messages between processes; at most once: whoever listens closes gaps from the log. */
export interface StatusBus extends Closable {
  /** Throws `Rejected` `unavailable` where the bus does not take the message, at once or after a short while. */
  publish(message: StatusMessage): Promise<void>;
  /** `pattern` as in NATS (`bud.status.>`); answers a function that ends the subscription. */
  subscribe(
    pattern: string,
    handler: (message: StatusMessage) => void,
    options?: StatusSubscriptionOptions,
  ): Promise<() => void>;
}
