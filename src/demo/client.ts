import { setTimeout as sleep } from 'node:timers/promises';

/** An error answer, described by its problem document. */
export class RequestFailed extends Error {
  readonly status: number;

  constructor(method: string, path: string, { status, detail }: { status: number; detail: string }) {
    super(`${method} ${path} answered ${status}: ${detail}`);
    this.name = 'RequestFailed';
    this.status = status;
  }
}

export interface Answer<Body> {
  body: Body;
  /** Position in the log right after a write. */
  position: string | null;
}

const detailOf = (text: string): string => {
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string; title?: string; hint?: string };
    return [problem.code, problem.detail ?? problem.title, problem.hint].filter(Boolean).join(' - ');
  } catch {
    return text.slice(0, 300);
  }
};

/** A client of the public HTTP API. Tests pass `send` to check the answers. */
export const createClient = (url: string, send: (url: URL, init: RequestInit) => Promise<Response> = fetch) => {
  let token = '';

  const request = async <Body>(method: string, path: string, init: RequestInit = {}): Promise<Answer<Body>> => {
    const headers = new Headers(init.headers);
    if (token) headers.set('authorization', `Bearer ${token}`);
    const signal = AbortSignal.timeout(60_000);
    const response = await send(new URL(path, url), { ...init, method, headers, signal }).catch((cause: Error) => {
      throw new Error(`${url} cannot be reached: ${cause.cause ?? cause.message}`, { cause });
    });
    const text = await response.text();
    if (!response.ok) throw new RequestFailed(method, path, { status: response.status, detail: detailOf(text) });
    const body = (text ? JSON.parse(text) : null) as Body;
    return { body, position: response.headers.get('position') };
  };

  const withJson = (body: unknown): RequestInit => ({
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

  return {
    url,
    get token() {
      return token;
    },
    async login(email: string, password: string): Promise<void> {
      const { body } = await request<{ access_token: string }>('POST', '/auth/login', withJson({ email, password }));
      token = body.access_token;
    },
    get: <Body>(path: string) => request<Body>('GET', path),
    /** Reads at least as fresh as `position`. */
    getAt: <Body>(path: string, position: string | null) =>
      request<Body>('GET', path, position ? { headers: { 'min-position': position } } : {}),
    post: <Body>(path: string, body: unknown) => request<Body>('POST', path, withJson(body)),
    postForm: <Body>(path: string, form: FormData) => request<Body>('POST', path, { body: form }),
    delete: <Body>(path: string) => request<Body>('DELETE', path),
  };
};

export type Client = ReturnType<typeof createClient>;

/** Polls until `look` returns a value. Throws after the time-out, naming what it waited for. */
export const eventually = async <T>(
  what: string,
  look: () => Promise<T | null>,
  { timeoutMs = 60_000, everyMs = 100 } = {},
): Promise<T> => {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const found = await look();
    if (found !== null) return found;
    await sleep(everyMs);
  }
  throw new Error(`waited ${timeoutMs / 1000} s without success: ${what}`);
};
