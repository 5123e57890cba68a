import type { Logger } from 'pino';
import type { Closable } from '../../ports/closable.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';
import { createOutage, type OutageLine } from '../../resilience/outage.ts';
import { readAnswer } from '../service-answer.ts';

/** A request as the SDK passes it to its transport. */
export interface SidecarRequest {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** How error messages name the request, and how long it may take. */
interface ExchangeLimits {
  what: string;
  timeout_ms: number;
  timeout: AbortSignal;
}

export interface DaprTransport extends Closable {
  /**
   * Sends one request and reads the whole answer: the parsed JSON, null where it is empty. Throws `ServiceFailure`
   * only.
   */
  exchange(url: string, request: SidecarRequest, limits: ExchangeLimits): Promise<unknown>;
}

/** Makes the failures of the sidecar itself, and tells the beginning and the end of an outage. */
const createFailures = (where: string, logger: Logger | undefined) => {
  const outage = createOutage<OutageLine>({
    logger,
    failing: (line) => line,
    working: `the Dapr sidecar at ${where} works again`,
  });
  return {
    tokenRefused(): ServiceFailure {
      outage.failed({
        level: 'error',
        message: `the Dapr sidecar at ${where} refuses our token: look at DAPR_API_TOKEN, here and at the sidecar`,
      });
      const message = `the Dapr sidecar at ${where} refuses our token (DAPR_API_TOKEN)`;
      return new ServiceFailure(message, { retryable: false, status: 401 });
    },
    unreachable(cause: unknown): ServiceFailure {
      outage.failed({
        message: `no Dapr sidecar answers at ${where}: is it running, and is DAPR_HTTP_PORT its port?`,
        fields: { err: cause },
      });
      const message = `no Dapr sidecar answers at ${where} (DAPR_HTTP_PORT)`;
      return new ServiceFailure(message, { retryable: true, status: null, cause });
    },
    over: (): void => outage.ok(),
  };
};

/**
 * Tells whether a 401 came from the sidecar or from the service behind it: asks for the sidecar's own metadata, which
 * no service answers.
 */
const refusesToken = async (where: string, headers: SidecarRequest['headers'], signal: AbortSignal) => {
  const token = headers['dapr-api-token'];
  const response = await fetch(`http://${where}/v1.0/metadata`, {
    headers: token === undefined ? {} : { 'dapr-api-token': token },
    signal,
  });
  await response.body?.cancel();
  return response.status === 401;
};

/**
 * HTTP to the sidecar at `where` (host and port), with a time-out and a bound on the size of answers. `close` aborts
 * all requests.
 */
export const createDaprTransport = (where: string, logger: Logger | undefined): DaprTransport => {
  const closing = new AbortController();
  const failures = createFailures(where, logger);

  const failureOf = (cause: unknown, { what, timeout_ms, timeout }: ExchangeLimits): ServiceFailure => {
    if (cause instanceof ServiceFailure) return cause;
    const transient = { retryable: true, status: null, cause };
    if (timeout.aborted) return new ServiceFailure(`${what} did not answer within ${timeout_ms} ms`, transient);
    if (closing.signal.aborted) return new ServiceFailure(`${what} was given up: this process stops`, transient);
    return failures.unreachable(cause);
  };

  return {
    async exchange(url, { method, headers, body }, limits) {
      const signal = AbortSignal.any([limits.timeout, closing.signal]);
      const init = { method, headers: { accept: 'application/json', ...headers }, signal, redirect: 'manual' } as const;
      try {
        const response = await fetch(url, body === undefined ? init : { ...init, body });
        if (response.status === 401 && (await refusesToken(where, headers, signal))) {
          await response.body?.cancel();
          throw failures.tokenRefused();
        }
        failures.over();
        return await readAnswer(limits.what, response);
      } catch (cause) {
        throw failureOf(cause, limits);
      }
    },
    async close() {
      closing.abort();
    },
  };
};
