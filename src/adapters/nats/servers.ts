import type { ConnectionOptions } from 'nats';
import { SystemUnusable } from '../../errors.ts';
import { parseServerUrl, type ServerUrl } from '../../failures/server-url.ts';

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
const parseOne = (text: string, index: number): ServerUrl => {
  const url = parseServerUrl(text.includes('://') ? text : `nats://${text}`);
  if (url === null || url.path.length > 1)
    throw unreadable(
      `server ${index + 1} is no nats://host:port, with special characters of user and password percent-encoded`,
    );
  if (url.scheme === 'nats' || url.scheme === 'tls') return url;
  throw unreadable(`server ${index + 1} begins neither with nats:// nor with tls://`);
};

const credentialsOf = (urls: readonly ServerUrl[]): NatsServers['options'] => {
  const named = urls.find(({ user, password }) => user !== '' || password !== '');
  if (named === undefined) return {};
  return named.password === '' ? { token: named.user } : { user: named.user, pass: named.password };
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
  const servers = urls
    .flatMap((url) => url.servers)
    .map((server) => (/:\d+$/.test(server) ? server : `${server}:${PORT}`));
  const isEncrypted = urls.some(({ scheme }) => scheme === 'tls');
  return {
    options: { servers, ...credentialsOf(urls), ...(isEncrypted ? { tls: {} } : {}) },
    shown: servers.map((server) => `${isEncrypted ? 'tls' : 'nats'}://${server}`).join(','),
  };
};
