import { z } from 'zod';

const WithOffset = z.iso.datetime({ offset: true });
/** What `+` becomes in a query that was not encoded. */
const LOST_PLUS = / (?=\d{2}:\d{2}$)/;
/** From the first to the last year that both JavaScript and PostgreSQL write with four digits. */
const FOUR_DIGITS = /^(?!0000)\d{4}-/;

/** The same moment in UTC. Its fraction of a second stays as it is: a `Date` would cut it to milliseconds. */
const inUtc = (time: string): string => {
  const fraction = /\.\d+/.exec(time)?.[0] ?? '';
  const whole = new Date(time.replace(fraction, '')).toISOString();
  return whole.replace(/\.000Z$/, `${fraction}Z`);
};

/** A time in a query: RFC 3339 with `Z` or an offset, of which the moment in UTC is kept. */
export const QueryTime = z
  .string()
  .meta({ format: 'date-time' })
  .transform((text, { addIssue }) => {
    const given = WithOffset.safeParse(text.replace(LOST_PLUS, '+'));
    const time = given.success ? inUtc(given.data) : '';
    if (FOUR_DIGITS.test(time)) return time;
    addIssue({ code: 'custom', message: 'must be a time like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00' });
    return z.NEVER;
  });
