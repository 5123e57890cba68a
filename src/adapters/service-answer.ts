import { ServiceFailure, type ServiceRequest } from '../ports/service-invoker.ts';
import { BodyTooLarge, readBounded } from '../resilience/bounded-body.ts';
import { parseStorableJson } from '../storable-text.ts';

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

const readText = async (what: string, { status, body }: Response): Promise<string> => {
  try {
    return body === null ? '' : (await readBounded(body, LARGEST_ANSWER)).toString();
  } catch (cause) {
    if (!(cause instanceof BodyTooLarge)) throw cause;
    const message = `${what} answered more than ${LARGEST_ANSWER} bytes`;
    throw new ServiceFailure(message, { retryable: false, status, cause });
  }
};

const isRetryable = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/**
 * Parses the JSON of an answer to `what`, with U+FFFD in the place of what Postgres cannot store; null where it is empty.
 * Throws `ServiceFailure` for every other answer.
 */
export const readAnswer = async (what: string, response: Response): Promise<unknown> => {
  const { status } = response;
  const text = await readText(what, response);
  if (!response.ok) {
    throw new ServiceFailure(`${what} answered ${status}: ${text.slice(0, LONGEST_QUOTE)}`, {
      retryable: isRetryable(status),
      status,
    });
  }
  if (text === '') return null;
  try {
    return parseStorableJson(text);
  } catch (cause) {
    // A proxy in between may have answered, with an error page for example: the service may be back soon.
    throw new ServiceFailure(`${what} did not answer JSON`, { retryable: true, status, cause });
  }
};
