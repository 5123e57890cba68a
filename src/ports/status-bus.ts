import type { Closable } from './closable.ts';

export interface StatusMessage {
  /** `bud.status.<project or "-">.<kind>.<id>` */
  subject: string;
  /** CloudEvents 1.0 JSON, text. */
  payload: string;
}

export interface StatusSubscriptionOptions {
  /**
   * Called when a lost connection is back and the subscription is in force again: messages may have been missed, and no
   * later one may reveal it. A subscriber that must not miss any reads the log now.
   */
  onGap?: () => void;
}

/** Carries status messages between processes, at most once: subscribers fill gaps from the log. */
export interface StatusBus extends Closable {
  /** Throws `Rejected` `unavailable` where the bus does not accept the message, at once or after a short while. */
  publish(message: StatusMessage): Promise<void>;
  /** Subscribes to subjects; `pattern` as in NATS (`bud.status.>`). Returns a function that ends the subscription. */
  subscribe(
    pattern: string,
    handler: (message: StatusMessage) => void,
    options?: StatusSubscriptionOptions,
  ): Promise<() => void>;
}
