import { ServiceFailure, type ServiceRequest } from '../ports/service-invoker.ts';

const LARGEST_ANSWER = 8 * 1024 * 1024;
const LONGEST_QUOTE = 300;

/** The path with its query, without a leading slash. */
export const targetOf = ({ path, query }: ServiceRequest): string => {
  const text = new URLSearchParams(query).toString();
  return text === '' ? path : `${path}?${text}`;
};

export const formOf = (fields: NonNullable<ServiceRequest['multipart']>): FormData => {
  const form = new FormData();
  for (const [name, { value, file_name }] of Object.entries(fields)) {
    if (file_name === undefined) form.append(name, value);
    else form.append(name, new Blob([value]), file_name);
  }
  return form;
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

/** The parsed JSON of an answer to `what`; null where it is empty. Throws `ServiceFailure` for every other answer. */
export const readAnswer = async (what: string, response: Response): Promise<unknown> => {
  const { status } = response;
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
