import { readFileSync } from 'node:fs';
import {
  type ConnectionOptions,
  parseConnectionString,
} from '@eventstore/db-client/dist/Client/parseConnectionString.js';
import { SystemUnusable } from '../../errors.ts';
import type { ClientSettings } from './client.ts';

export const SYSTEM = 'EventStoreDB';
export const SETTING = 'EVENTSTORE_URL';

/** Says what is wrong with the setting. Never the URL itself, nor a piece of it that may hold the password. */
export const unusable = (problem: string, options: { passing?: boolean; cause?: unknown } = {}): SystemUnusable =>
  new SystemUnusable(SYSTEM, problem, {
    settings: [SETTING],
    passing: options.passing ?? false,
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });

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

/** What the client would only complain about on standard error, together with the whole URL and its password. */
const checkOptions = (url: string): void => {
  const query = url.slice(url.indexOf('?') + 1);
  if (query === url) return;
  for (const pair of query.split('&')) {
    const name = pair.split('=')[0] ?? '';
    const flat = name.trim().toLowerCase().replace(/[_-]/g, '');
    if (flat === 'tlsverifycert')
      throw unusable('always has its certificate checked: name its authority as tlsCAFile in place of tlsVerifyCert');
    if (!OPTIONS.includes(flat))
      throw unusable('is addressed with an unknown option; known are tls, tlsCAFile and those of its own client');
  }
};

const parse = (url: string): ConnectionOptions => {
  checkOptions(url);
  try {
    return parseConnectionString(url);
  } catch {
    // Without the parser's error as the cause: it quotes the URL.
    throw unusable(
      'has a malformed address: esdb://host:port?tls=false, esdb://user:password@host:port or esdb+discover://a:port,b:port,c:port, with special characters of user and password percent-encoded',
    );
  }
};

const fileOf = (path: string | undefined, option: string): Buffer | undefined => {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw unusable(`is given a file as ${option} that cannot be read`, { cause: error });
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

/** Reads a connection string. Throws `SystemUnusable`, not passing, where it or a file that it names is of no use. */
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
