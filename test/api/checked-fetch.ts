import { createAnswerCheck, STREAMS } from './answer-check.ts';

type AnswerCheck = ReturnType<typeof createAnswerCheck>;

/** An answer is not as the OpenAPI document says: one of the two is wrong. */
export class UndeclaredAnswer extends Error {
  constructor(request: string, faults: readonly string[], text: string | null) {
    super(`${request} is not as /openapi.json says:\n  ${faults.join('\n  ')}\n${text?.slice(0, 2000)}`);
    this.name = 'UndeclaredAnswer';
  }
}

/** Schemas are compiled once a process: many BudApps of a test run have the same document. */
const checksByDocument = new Map<string, AnswerCheck>();
const checksByOrigin = new Map<string, AnswerCheck>();

const readCheck = async (origin: string, signal: AbortSignal | null): Promise<AnswerCheck> => {
  const response = await fetch(`${origin}/openapi.json`, { signal });
  if (!response.ok) throw new Error(`${origin}/openapi.json answered ${response.status}`);
  // What differs between two BudApps of the same code says nothing of their answers.
  const { info: _, servers: __, ...document } = JSON.parse(await response.text());
  const key = JSON.stringify(document);
  const check = checksByDocument.get(key) ?? createAnswerCheck(document);
  checksByDocument.set(key, check);
  checksByOrigin.set(origin, check);
  return check;
};

/**
 * `fetch` for whoever asks BudApp in a test: throws `UndeclaredAnswer` where the answer is not as the document of the
 * BudApp that was asked declares it.
 */
export const checkedFetch = async (url: URL | string, init: RequestInit = {}): Promise<Response> => {
  const { origin, pathname: path } = new URL(url);
  const check = checksByOrigin.get(origin) ?? (await readCheck(origin, init.signal ?? null));
  const response = await fetch(url, { redirect: 'manual', ...init });
  const { status, headers } = response;
  const isStream = STREAMS.some((type) => headers.get('content-type')?.startsWith(type));
  const text = isStream ? null : await response.clone().text();
  const method = init.method ?? 'GET';
  const faults = check({ method, path, status, headers, text });
  if (faults.length > 0) throw new UndeclaredAnswer(`${status} to ${method} ${path}`, faults, text);
  return response;
};
