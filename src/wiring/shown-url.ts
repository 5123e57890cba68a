/**
 * The address without user, password and options, since `/health/ready` shows it to everybody. A password may contain
 * `@`, `/` or `?`, so everything up to the last `@` is removed first.
 */
export const shownUrl = (url: string): string => url.replace(/\/\/.*@/s, '//').replace(/\?.*$/s, '');
