import { ServiceFailure, type ServiceInvoker, type ServiceRequest } from '../ports.ts';

const LARGEST_ANSWER = 8 * 1024 * 1024;
const LONGEST_QUOTE = 300;

const addressOf = (base: string, request: ServiceRequest): string => {
  const query = new URLSearchParams(request.query).toString();
  return `${base.replace(/\/+$/, '')}/${request.path}${query === '' ? '' : `?${query}`}`;
};

const formOf = (fields: NonNullable<ServiceRequest['multipart']>): FormData => {
  const form = new FormData();
  for (const [name, { value, file_name }] of Object.entries(fields)) {
    if (file_name === undefined) form.append(name, value);
    else form.append(name, new Blob([value]), file_name);
  }
  return form;
};

const initOf = (request: ServiceRequest, signal: AbortSignal): RequestInit => {
  const headers = new Headers({ accept: 'application/json' });
  if (request.traceparent !== undefined) headers.set('traceparent', request.traceparent);
  const init = { method: request.method, headers, signal, redirect: 'error' } as const;
  if (request.multipart !== undefined) return { ...init, body: formOf(request.multipart) };
  if (request.body === undefined) return init;
  headers.set('content-type', 'application/json');
  return { ...init, body: JSON.stringify(request.body) };
};

/** The whole body, or null where it is longer than an answer may be. */
const readBounded = async (response: Response): Promise<string | null> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LARGEST_ANSWER) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};

const isRetryable = (status: number): boolean => status === 408 || status === 429 || status >= 500;

const answerOf = async (request: ServiceRequest, response: Response): Promise<unknown> => {
  const { status } = response;
  const what = `${request.app_id} ${request.method} ${request.path}`;
  const text = await readBounded(response);
  if (text === null) {
    throw new ServiceFailure(`${what} answered more than ${LARGEST_ANSWER} bytes`, { retryable: false, status });
  }
  if (!response.ok) {
    throw new ServiceFailure(`${what} answered ${status}: ${text.slice(0, LONGEST_QUOTE)}`, {
      retryable: isRetryable(status),
      status,
    });
  }
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Something in between answered, a proxy's error page say: the service itself may be back soon.
    throw new ServiceFailure(`${what} did not answer JSON`, { retryable: true, status, cause });
  }
};

/** Calls services straight over HTTP, without a sidecar. `urls`: base URL by app id. An empty answer is null. */
export const createHttpInvoker = ({ urls }: { urls: Readonly<Record<string, string>> }): ServiceInvoker => ({
  async invoke(request) {
    const base = Object.hasOwn(urls, request.app_id) ? urls[request.app_id] : undefined;
    if (base === undefined) {
      throw new ServiceFailure(`no URL is configured for ${request.app_id}`, { retryable: false, status: null });
    }
    // Covers reading the answer too: a service may answer its headers and then hang.
    const signal = AbortSignal.timeout(request.timeout_ms);
    try {
      const response = await fetch(addressOf(base, request), initOf(request, signal));
      return await answerOf(request, response);
    } catch (cause) {
      if (cause instanceof ServiceFailure) throw cause;
      const problem = signal.aborted ? `did not answer within ${request.timeout_ms} ms` : 'cannot be reached';
      throw new ServiceFailure(`${request.app_id} ${problem}`, { retryable: true, status: null, cause });
    }
  },
});
