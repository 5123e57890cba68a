import type { ConnectionOptions } from 'nats';
import { SystemUnusable } from '../../errors.ts';

export interface NatsServers {
  /** The options for the client's `connect`. */
  options: Pick<ConnectionOptions, 'servers' | 'user' | 'pass' | 'token' | 'tls'>;
  /** The servers without their secrets, for messages. */
  shown: string;
}

const PORT = '4222';

const unreadable = (why: string): SystemUnusable =>
  new SystemUnusable('NATS', `has an address that cannot be read: ${why}`, {
    settings: ['NATS_URL'],
    transient: false,
  });

/** The message never shows the value, which may contain a password. */
const parseOne = (text: string, index: number): URL => {
  const url = URL.parse(/^[a-z]+:\/\//.test(text) ? text : `nats://${text}`);
  if (url === null || url.hostname === '') throw unreadable(`server ${index + 1} is no nats://host:port`);
  if (url.protocol === 'nats:' || url.protocol === 'tls:') return url;
  throw unreadable(`server ${index + 1} begins with ${url.protocol}//, not with nats:// or tls://`);
};

const credentialsOf = (urls: readonly URL[]): NatsServers['options'] => {
  const named = urls.find(({ username, password }) => username !== '' || password !== '');
  if (named === undefined) return {};
  const user = decodeURIComponent(named.username);
  return named.password === '' ? { token: user } : { user, pass: decodeURIComponent(named.password) };
};

/**
 * The servers of a `NATS_URL`: one or several of `nats://host:port` separated by commas, with `user:password@` or
 * `token@` at any of them (BudApp has one account in the cluster, so it counts for all). `tls://` at any demands TLS of
 * all. Throws `SystemUnusable`.
 */
export const natsServersOf = (text: string): NatsServers => {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw unreadable('it names no server');
  const urls = parts.map(parseOne);
  const servers = urls.map(({ hostname, port }) => `${hostname}:${port || PORT}`);
  const isEncrypted = urls.some(({ protocol }) => protocol === 'tls:');
  return {
    options: { servers, ...credentialsOf(urls), ...(isEncrypted ? { tls: {} } : {}) },
    shown: servers.map((server) => `${isEncrypted ? 'tls' : 'nats'}://${server}`).join(','),
  };
};
