import { type ConnectionOptions, connect, DebugEvents, ErrorCode, Events, type NatsConnection, NatsError } from 'nats';
import pTimeout from 'p-timeout';
import type { Logger } from 'pino';
import { Rejected, SystemUnusable } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import type { StatusBus, StatusMessage } from '../../ports/status-bus.ts';
import { createOutage } from '../../resilience/outage.ts';
import { createThrottle } from '../../resilience/throttle.ts';
import { tlsFaultOf } from '../certificates.ts';
import { isPattern } from '../subject-pattern.ts';
import { natsServersOf } from './servers.ts';

export interface NatsStatusBus extends StatusBus {
  /** Pings the server. Throws `Rejected` `unavailable` where it does not answer in time. */
  check(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** After two pings without an answer the client connects to another server. */
const PING_INTERVAL_MS = 5_000;
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 500;
/** Bytes that may be sent before the server has confirmed any of them. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const PUBLISH_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 2_000;
const CHECK_TIMEOUT_MS = 2_000;
const RETRY_AFTER_SECONDS = 2;
const TELL_REFUSAL_MS = 30_000;
const SETTING = 'NATS_URL';

/** Refusals that do not pass by waiting. */
const REFUSALS: Readonly<Record<string, string>> = {
  [ErrorCode.AuthorizationViolation]: 'refuses the user, password or token',
  [ErrorCode.BadAuthentication]: 'refuses the user, password or token',
  [ErrorCode.AuthenticationExpired]: 'says that the user has expired',
  [ErrorCode.AccountExpired]: 'says that the account has expired',
  [ErrorCode.PermissionsViolation]: 'does not let this user publish and subscribe to bud.status.>',
  [ErrorCode.ServerOptionNotAvailable]: 'does not speak TLS, which tls:// asks for',
  [ErrorCode.Tls]: 'cannot be spoken to over TLS',
};

const unusable = (error: unknown, shown: string): SystemUnusable => {
  const code = codeOf(error instanceof NatsError && error.chainedError ? error.chainedError : error);
  const fault = tlsFaultOf(code);
  const refusal = fault?.problem ?? REFUSALS[codeOf(error)];
  const problem = refusal ?? `does not answer (${code || codeOf(error) || 'no reason given'})`;
  return new SystemUnusable('NATS', `at ${shown} ${problem}`, {
    settings: [SETTING, ...(fault?.settings ?? [])],
    transient: refusal === undefined,
    cause: error,
  });
};

const unavailable = (detail: string, cause?: unknown): Rejected =>
  new Rejected('unavailable', 'status-bus-unavailable', detail, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause });

/** Waits for `work` no longer than `ms`; ignores what it throws. */
const atMost = async (ms: number, work: Promise<unknown>): Promise<void> => {
  await pTimeout(work, { milliseconds: ms, message: false }).catch(() => undefined);
};

/**
 * Bounds the bytes that are sent and not confirmed: the client would buffer without a limit what a slow server does not
 * take. `room` waits a short while where the window is full, and throws where it stays full.
 */
const createWindow = (connection: NatsConnection) => {
  let unconfirmed = 0;
  let confirming: Promise<void> | null = null;

  /** Pings the server: once it answers, all that was sent before has arrived, or was lost with the connection. */
  const confirm = (): Promise<void> => {
    const covered = unconfirmed;
    const settle = () => {
      unconfirmed -= covered;
      confirming = null;
    };
    confirming ??= connection.flush().then(settle, settle);
    return confirming;
  };

  return {
    async room(): Promise<void> {
      if (unconfirmed < WINDOW_BYTES) return;
      await atMost(PUBLISH_TIMEOUT_MS, confirm());
      if (unconfirmed >= WINDOW_BYTES) throw unavailable('NATS does not take messages as fast as they come.');
    },
    sent(bytes: number): void {
      unconfirmed += bytes;
      if (unconfirmed > WINDOW_BYTES / 2) void confirm();
    },
  };
};

const optionsOf = (options: ConnectionOptions): ConnectionOptions => ({
  ...options,
  name: 'budapp',
  timeout: CONNECT_TIMEOUT_MS,
  pingInterval: PING_INTERVAL_MS,
  maxPingOut: 2,
  maxReconnectAttempts: -1,
  reconnectTimeWait: RECONNECT_WAIT_MS,
  reconnectJitter: RECONNECT_JITTER_MS,
  reconnectJitterTLS: RECONNECT_JITTER_MS,
  // The client must not give up after a refused password: it may have been changed on the server first, and here later.
  ignoreAuthErrorAbort: true,
});

/**
 * Carries status messages over core NATS: at most once, in the order of publishing. `url` is that of `NATS_URL` (see
 * `natsServersOf`); certificates are checked against those that Node trusts (`NODE_EXTRA_CA_CERTS`). After a lost
 * connection it reconnects without end, with jitter. Meanwhile `publish` refuses at once; afterwards every subscriber's
 * `onGap` is called. Throws `SystemUnusable` where the first connection fails.
 */
export const createNatsStatusBus = async ({ url, log }: { url: string; log: Logger }): Promise<NatsStatusBus> => {
  const { options, shown } = natsServersOf(url);
  const connection = await connect(optionsOf(options)).catch((error: unknown) => {
    throw unusable(error, shown);
  });
  const window = createWindow(connection);
  const gaps = new Set<() => void>();
  // A wrong password is refused at every attempt to connect.
  const throttled = createThrottle({ every_ms: TELL_REFUSAL_MS });
  const outage = createOutage({
    logger: log,
    failing: () => ({
      message: `the connection to NATS is lost: reconnecting (${SETTING})`,
      fields: { servers: shown, setting: SETTING },
    }),
    working: 'NATS is connected again',
  });
  let isConnected = true;
  let isClosing = false;

  const guarded = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.error({ err: error }, what);
    }
  };

  const lost = (): void => {
    if (!isConnected || isClosing) return;
    isConnected = false;
    outage.failed(undefined);
  };

  const back = async (): Promise<void> => {
    if (isConnected || isClosing) return;
    // The client has sent the subscriptions again before this ping, so they are in force once the ping is answered.
    const isInForce = await connection.flush().then(
      () => true,
      () => false,
    );
    if (!isInForce || isConnected || isClosing) return;
    isConnected = true;
    outage.ok({ server: connection.getServer(), setting: SETTING });
    for (const onGap of gaps) guarded('a subscriber failed to fill the gap in its messages', onGap);
  };

  const watch = async (): Promise<void> => {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) lost();
      else if (type === Events.Reconnect || type === DebugEvents.PingTimer) void back();
      else if (type === Events.Error) {
        throttled(() =>
          log.error(
            { reason: data, servers: shown, setting: SETTING },
            `NATS refuses an operation: look at ${SETTING}`,
          ),
        );
      }
    }
  };
  // Not awaited: the client never ends this iterator, not even when it is closed.
  void watch();

  const assertOpen = (): void => {
    if (isClosing) throw new Error('the status bus is closed');
  };

  /** Resolves once the server has the subscription: everything published after that arrives. */
  const inForce = async (end: () => void, refused: () => NatsError | null): Promise<void> => {
    // Without a connection, the client sends the subscription once it has reconnected.
    if (isConnected) await atMost(CONNECT_TIMEOUT_MS, connection.flush());
    const refusal = refused();
    if (refusal === null) return;
    end();
    throw unusable(refusal, shown);
  };

  return {
    async publish({ subject, payload }) {
      assertOpen();
      if (!isConnected) throw unavailable('NATS cannot be reached.');
      await window.room();
      // The connection may have been lost during the wait.
      if (!isConnected) throw unavailable('NATS cannot be reached.');
      try {
        connection.publish(subject, payload);
      } catch (error) {
        throw unavailable('NATS does not take this message.', error);
      }
      window.sent(Buffer.byteLength(subject) + Buffer.byteLength(payload));
    },

    async subscribe(pattern, handler, { onGap } = {}) {
      assertOpen();
      if (!isPattern(pattern)) throw new Error(`"${pattern}" is not a subject pattern`);
      const failure = `a status handler of ${pattern} failed`;
      let refusal: NatsError | null = null;
      const subscription = connection.subscribe(pattern, {
        callback(error, message) {
          if (error) {
            refusal = error;
            return;
          }
          // An error thrown here would stop the client from reading the connection.
          guarded(failure, () => handler(toStatus(message)));
        },
      });
      const gap = onGap && (() => onGap());
      if (gap) gaps.add(gap);
      const end = () => {
        if (gap) gaps.delete(gap);
        subscription.unsubscribe();
      };
      await inForce(end, () => refusal);
      return end;
    },

    async check() {
      assertOpen();
      const noAnswer = (cause?: unknown) => unavailable(`NATS does not answer at ${shown}.`, cause);
      if (!isConnected) throw noAnswer();
      await pTimeout(connection.flush(), { milliseconds: CHECK_TIMEOUT_MS }).catch((cause: unknown) => {
        throw noAnswer(cause);
      });
    },

    async close() {
      if (isClosing) return;
      isClosing = true;
      gaps.clear();
      // Messages under way still arrive. A server that does not answer is not waited for.
      if (isConnected) await atMost(CLOSE_TIMEOUT_MS, connection.drain());
      await connection.close();
    },
  };
};

const toStatus = (message: { subject: string; string(): string }): StatusMessage => ({
  subject: message.subject,
  payload: message.string(),
});
