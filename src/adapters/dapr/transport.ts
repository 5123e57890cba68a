import type { Logger } from 'pino';
import type { Closable } from '../../ports/closable.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';
import { readAnswer } from '../service-answer.ts';

/** What the SDK hands to its transport. */
export interface SidecarRequest {
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

/** What is asked, as messages name it, and how long it may take. */
interface RetryUntilAvailable {
  what: string;
  timeout_ms: number;
  timeout: AbortSignal;
}

export interface DaprTransport extends Closable {
  /** One request and all of its answer: the parsed JSON, null where it is empty. Throws nothing but `ServiceFailure`. */
  exchange(url: string, request: SidecarRequest, patience: RetryUntilAvailable): Promise<unknown>;
}

/** Makes failures of the sidecar itself. Tells of trouble once, and of its end once: every call in between only repeats it. */
const createTroubleReport = (where: string, logger: Logger | undefined) => {
  let trouble: 'token' | 'unreachable' | null = null;
  return {
    tokenRefused(): ServiceFailure {
      if (trouble !== 'token') {
        logger?.error(
          `the Dapr sidecar at ${where} refuses our token: look at DAPR_API_TOKEN, here and at the sidecar`,
        );
      }
      trouble = 'token';
      const message = `the Dapr sidecar at ${where} refuses our token (DAPR_API_TOKEN)`;
      return new ServiceFailure(message, { retryable: false, status: 401 });
    },
    unreachable(cause: unknown): ServiceFailure {
      if (trouble !== 'unreachable') {
        const hint = 'is it running, and is DAPR_HTTP_PORT its port?';
        logger?.warn({ err: cause }, `no Dapr sidecar answers at ${where}: ${hint}`);
      }
      trouble = 'unreachable';
      const message = `no Dapr sidecar answers at ${where} (DAPR_HTTP_PORT)`;
      return new ServiceFailure(message, { retryable: true, status: null, cause });
    },
    over() {
      if (trouble !== null) logger?.info(`the Dapr sidecar at ${where} works again`);
      trouble = null;
    },
  };
};

/**
 * Asks for something that no application can answer in the sidecar's place: was it the sidecar that refused, or the
 * service behind it?
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

/** HTTP to the sidecar at `where` (host and port), within bounds of time and size, until it is closed. */
export const createDaprTransport = (where: string, logger: Logger | undefined): DaprTransport => {
  const closing = new AbortController();
  const report = createTroubleReport(where, logger);

  const failureOf = (cause: unknown, { what, timeout_ms, timeout }: RetryUntilAvailable): ServiceFailure => {
    if (cause instanceof ServiceFailure) return cause;
    const passing = { retryable: true, status: null, cause };
    if (timeout.aborted) return new ServiceFailure(`${what} did not answer within ${timeout_ms} ms`, passing);
    if (closing.signal.aborted) return new ServiceFailure(`${what} was given up: this process stops`, passing);
    return report.unreachable(cause);
  };

  return {
    async exchange(url, { method, headers, body }, patience) {
      const signal = AbortSignal.any([patience.timeout, closing.signal]);
      const init = { method, headers: { accept: 'application/json', ...headers }, signal, redirect: 'manual' } as const;
      try {
        const response = await fetch(url, body === undefined ? init : { ...init, body });
        if (response.status === 401 && (await refusesToken(where, headers, signal))) {
          await response.body?.cancel();
          throw report.tokenRefused();
        }
        report.over();
        return await readAnswer(patience.what, response);
      } catch (cause) {
        throw failureOf(cause, patience);
      }
    },
    async close() {
      closing.abort();
    },
  };
};
