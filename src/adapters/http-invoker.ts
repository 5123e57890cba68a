import { ServiceFailure, type ServiceInvoker, type ServiceRequest } from '../ports/service-invoker.ts';
import { formOf, readAnswer, targetOf } from './service-answer.ts';

const initOf = (request: ServiceRequest, signal: AbortSignal): RequestInit => {
  const headers = new Headers({ accept: 'application/json' });
  if (request.traceparent !== undefined) headers.set('traceparent', request.traceparent);
  const init = { method: request.method, headers, signal, redirect: 'manual' } as const;
  if (request.multipart !== undefined) return { ...init, body: formOf(request.multipart) };
  if (request.body === undefined) return init;
  headers.set('content-type', 'application/json');
  return { ...init, body: JSON.stringify(request.body) };
};

/**
 * Calls services directly over HTTP, without a sidecar. `urls` has the base URL per app id. An empty answer is null.
 */
export const createHttpInvoker = ({ urls }: { urls: Readonly<Record<string, string>> }): ServiceInvoker => ({
  async invoke(request) {
    const base = Object.hasOwn(urls, request.app_id) ? urls[request.app_id] : undefined;
    if (base === undefined) {
      throw new ServiceFailure(`no URL is configured for ${request.app_id}`, { retryable: false, status: null });
    }
    // Also bounds reading the answer: a service may send headers and then nothing.
    const signal = AbortSignal.timeout(request.timeout_ms);
    try {
      const response = await fetch(`${base.replace(/\/+$/, '')}/${targetOf(request)}`, initOf(request, signal));
      return await readAnswer(`${request.app_id} ${request.method} ${request.path}`, response);
    } catch (cause) {
      if (cause instanceof ServiceFailure) throw cause;
      const problem = signal.aborted ? `did not answer within ${request.timeout_ms} ms` : 'cannot be reached';
      throw new ServiceFailure(`${request.app_id} ${problem}`, { retryable: true, status: null, cause });
    }
  },
});
