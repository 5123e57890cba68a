import { once } from 'node:events';
import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Rejected, type SystemUnusable } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { tlsFaultOf } from '../certificates.ts';
import { unusable } from './address.ts';
import type { ClientSettings } from './client.ts';
import { isAccessDenied, isUnauthenticated } from './connection.ts';

const PROBE_TIMEOUT_MS = 3000;

type Host = ClientSettings['hosts'][number];

/** Opens a connection to get the reason, which the client's errors do not have. Null where it succeeds. */
const probe = async ({ address: host, port }: Host, channel: ClientSettings['channel']): Promise<unknown> => {
  const { rootCertificate: ca, userCertFile: cert, userKeyFile: key } = channel;
  const servername = isIP(host) ? {} : { servername: host };
  const socket = channel.insecure
    ? connectPlain({ host, port })
    : connectTls({
        host,
        port,
        ALPNProtocols: ['h2'],
        ...servername,
        ...(ca && { ca }),
        ...(cert && { cert }),
        ...(key && { key }),
      });
  const connected = channel.insecure ? 'connect' : 'secureConnect';
  try {
    await once(socket, connected, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return null;
  } catch (error) {
    return error;
  } finally {
    socket.on('error', () => undefined).destroy();
  }
};

const RIGHT = `an administrator gives it with setStreamMetadata('$all', { acl: { readRoles: ['$admins', '<user>'] } }): see "Rights" in docs/operations.md`;

/** What the server refuses, for who looks after BudApp; null where it is something else that fails. */
export const refusalOf = (error: unknown): SystemUnusable | null => {
  const cause = error instanceof Rejected ? error.cause : error;
  if (!isAccessDenied(cause)) return null;
  if (isUnauthenticated(cause)) return unusable('refuses the user or the password', { cause });
  return unusable(`lets its user not read $all, the stream of all events, or names none: ${RIGHT}`, { cause });
};

/** The same for a user who may read, and not write. */
export const writeRefusalOf = (error: unknown): SystemUnusable | null => {
  const refusal = refusalOf(error);
  if (refusal === null || isUnauthenticated(refusal.cause)) return refusal;
  const problem = 'lets its user not write streams: it needs this right by $settings, or to be in $admins';
  return unusable(`${problem}: see "Rights" in docs/operations.md`, { cause: refusal.cause });
};

/** What waiting does not help against, of any of the hosts: one that is only away hides it easily. */
const lastingFaultOf = (failures: readonly unknown[]): SystemUnusable | null => {
  for (const [index, failure] of failures.entries()) {
    const fault = tlsFaultOf(codeOf(failure), { trust: 'tlsCAFile', plain: 'tls=false' });
    const where = failures.length === 1 ? '' : ` (host ${index + 1} of ${failures.length} in the address)`;
    if (fault) return unusable(`${fault.problem}${where}`, { cause: failure });
  }
  return null;
};

/** Finds out why the log could not be opened. */
export const diagnose = async (settings: ClientSettings, error: unknown): Promise<SystemUnusable> => {
  const refusal = refusalOf(error);
  if (refusal) return refusal;
  const { hosts, channel } = settings;
  const failures = await Promise.all(hosts.map((host) => probe(host, channel)));
  const fault = lastingFaultOf(failures);
  if (fault) return fault;
  if (failures.every((failure) => failure !== null))
    return unusable('cannot be reached', { transient: true, cause: failures[0] });
  const cause = error instanceof Rejected ? error.cause : error;
  if (channel.insecure)
    return unusable('does not answer as expected: it may require TLS, still be starting, or be another program', {
      transient: true,
      cause,
    });
  return unusable('does not answer, or has no leader yet', { transient: true, cause });
};
