/** `scheme://[user[:password]@]host[:port][,host[:port]...][/path][?options]` */
export interface ServerUrl {
  scheme: string;
  /** Decoded; empty where there is none. */
  user: string;
  password: string;
  /** `host` or `host:port` each. */
  servers: readonly string[];
  /** From the slash on; empty where there is none. */
  path: string;
}

const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])$/i;
const IPV6 = /^[0-9a-f.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i;

/** A server's name or IP address, without a port. */
export const isHost = (text: string): boolean => HOST.test(text) || IPV6.test(text);

/** `host` or `host:port`, an IPv6 address in brackets. */
export const isServer = (text: string): boolean => HOST.test(text.replace(/:\d{1,5}$/, ''));

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
};

/**
 * Parses the address of a server, or of several; null where it is none. Stricter than the parsers of the clients: they
 * take a part of a password with an unencoded `/`, `?`, `#` or space for a host, look that up, and show it in an error.
 */
export const parseServerUrl = (text: string): ServerUrl | null => {
  const [, scheme, rest = ''] = /^([a-z][a-z+]*):\/\/(.*)$/is.exec(text.trim()) ?? [];
  if (scheme === undefined) return null;
  // A password may have an `@`, a server has none.
  const at = rest.lastIndexOf('@');
  const userInfo = rest.slice(0, Math.max(0, at));
  const [, servers, path = ''] = /^([^/?#\s\\]+)(\/[^?#\s\\]*)?(?:\?[^#\s]*)?$/.exec(rest.slice(at + 1)) ?? [];
  if (servers === undefined || /[/?#\s\\]/.test(userInfo)) return null;
  const colon = userInfo.indexOf(':');
  const user = decoded(colon < 0 ? userInfo : userInfo.slice(0, colon));
  const password = decoded(colon < 0 ? '' : userInfo.slice(colon + 1));
  if (user === null || password === null || !servers.split(',').every(isServer)) return null;
  return { scheme: scheme.toLowerCase(), user, password, servers: servers.split(','), path };
};

/**
 * The address as everybody may see it, in `/health/ready` and in messages: without user, password and options. What
 * cannot be read is not shown at all.
 */
export const shownUrl = (text: string): string => {
  const url = parseServerUrl(text);
  return url === null ? 'an address that cannot be read' : `${url.scheme}://${url.servers.join(',')}${url.path}`;
};
