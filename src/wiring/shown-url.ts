/**
 * An address as people may see it (`/health/ready` shows it to everybody): without user, password and options. A password
 * may itself hold `@`, `/` or `?`, so everything up to the last `@` goes first.
 */
export const shownUrl = (url: string): string => url.replace(/\/\/.*@/s, '//').replace(/\?.*$/s, '');
