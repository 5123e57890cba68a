import { readFileSync } from 'node:fs';
import {
  type ConnectionOptions,
  parseConnectionString,
} from '@eventstore/db-client/dist/Client/parseConnectionString.js';
import { SystemUnusable } from '../../errors.ts';
import { parseServerUrl } from '../../failures/server-url.ts';
import type { ClientSettings } from './client.ts';

export const SYSTEM = 'EventStoreDB';
export const SETTING = 'EVENTSTORE_URL';

/** The error for an unusable setting. It never contains the URL or a part of it, which may hold the password. */
export const unusable = (problem: string, options: { transient?: boolean; cause?: unknown } = {}): SystemUnusable =>
  new SystemUnusable(SYSTEM, problem, {
    settings: [SETTING],
    transient: options.transient ?? false,
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });

/** The server is called KurrentDB since version 25; its own client knows the older name only. */
const SCHEME = /^(?:esdb|kurrentdb|kdb)(?=(?:\+discover)?:\/\/)/;

export const isEventStoreAddress = (text: string): boolean => SCHEME.test(text);

/** In lower case, as the client compares them. */
const OPTIONS = [
  'tls',
  'tlscafile',
  'usercertfile',
  'userkeyfile',
  'connectionname',
  'nodepreference',
  'maxdiscoverattempts',
  'discoveryinterval',
  'gossiptimeout',
  'defaultdeadline',
  'keepaliveinterval',
  'keepalivetimeout',
];

/**
 * Refuses options that the client would only report on standard error, together with the whole URL and its password.
 */
const checkOptions = (url: string): void => {
  const query = url.slice(url.indexOf('?') + 1);
  if (query === url) return;
  for (const pair of query.split('&')) {
    const name = pair.split('=')[0] ?? '';
    const flat = name.trim().toLowerCase().replace(/[_-]/g, '');
    if (flat === 'tlsverifycert')
      throw unusable(
        'always has its certificate verified: name its authority in tlsCAFile instead of setting tlsVerifyCert',
      );
    if (!OPTIONS.includes(flat))
      throw unusable('is addressed with an unknown option; known are tls, tlsCAFile and those of its own client');
  }
};

const malformed = (): SystemUnusable =>
  unusable(
    'has a malformed address: esdb://host:port?tls=false, esdb://user:password@host:port or esdb+discover://a:port,b:port,c:port, with special characters of user and password percent-encoded',
  );

/** The client ends a user at the first `:` and a password at the first `@` or `:`, and takes the rest for a host. */
const isUserInfoEncoded = (url: string): boolean => /^[^:/?#@]+:[^:/?#@]+@[^@]*$/.test(url) || !url.includes('@');

const parse = (url: string): ConnectionOptions => {
  const read = parseServerUrl(url);
  if (read === null || read.path.length > 1 || !isUserInfoEncoded(url.replace(/^[^/]*\/\//, ''))) throw malformed();
  checkOptions(url);
  try {
    return parseConnectionString(url.trim().replace(SCHEME, 'esdb'));
  } catch {
    // The parser's error is not the cause, since it quotes the URL.
    throw malformed();
  }
};

const fileOf = (path: string | undefined, option: string): Buffer | undefined => {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw unusable(`cannot be used: the file in ${option} cannot be read`, { cause: error });
  }
};

const channelOf = (options: ConnectionOptions): ClientSettings['channel'] => {
  const rootCertificate = fileOf(options.tlsCAFile, 'tlsCAFile');
  const userCertFile = fileOf(options.userCertFile, 'userCertFile');
  const userKeyFile = fileOf(options.userKeyFile, 'userKeyFile');
  if ((userCertFile === undefined) !== (userKeyFile === undefined))
    throw unusable('needs userCertFile and userKeyFile together');
  return {
    insecure: options.tls === false,
    ...(rootCertificate && { rootCertificate }),
    ...(userCertFile && { userCertFile }),
    ...(userKeyFile && { userKeyFile }),
  };
};

/** Parses a connection string. Throws `SystemUnusable`, not transient, where it or a file that it names is unusable. */
export const parseAddress = (url: string): ClientSettings => {
  const options = parse(url);
  const { connectionName = 'budapp', maxDiscoverAttempts = 3, gossipTimeout = 3 } = options;
  const { discoveryInterval, nodePreference, keepAliveInterval, keepAliveTimeout, defaultDeadline } = options;
  return {
    hosts: options.hosts,
    discover: options.dnsDiscover,
    options: {
      connectionName,
      maxDiscoverAttempts,
      gossipTimeout,
      ...(discoveryInterval === undefined ? {} : { discoveryInterval }),
      ...(nodePreference === undefined ? {} : { nodePreference }),
      ...(keepAliveInterval === undefined ? {} : { keepAliveInterval }),
      ...(keepAliveTimeout === undefined ? {} : { keepAliveTimeout }),
      ...(defaultDeadline === undefined ? {} : { defaultDeadline }),
    },
    channel: channelOf(options),
    credentials: options.defaultCredentials,
  };
};
