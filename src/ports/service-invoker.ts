import type { CallRequest } from '../contracts/call.ts';

/** One call of another service, as `src/contracts` describes it, within a trace. */
export interface ServiceRequest extends CallRequest {
  traceparent?: string | undefined;
}

/** Calls the cluster, model, simulator, metrics and notify services, over Dapr or directly over HTTP. */
export interface ServiceInvoker {
  /**
   * Sends the request and returns the parsed JSON answer. Throws `ServiceFailure`: `retryable` where a retry can help
   * (no connection, time-out, 429, 5xx), not retryable where the service refused the request (other 4xx).
   */
  invoke(request: ServiceRequest): Promise<unknown>;
}

export class ServiceFailure extends Error {
  readonly retryable: boolean;
  readonly status: number | null;

  constructor(message: string, options: { retryable: boolean; status: number | null; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'ServiceFailure';
    this.retryable = options.retryable;
    this.status = options.status;
  }
}
