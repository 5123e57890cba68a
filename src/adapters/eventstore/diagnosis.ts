import { once } from 'node:events';
import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ErrorType, isCommandError } from '@eventstore/db-client';
import { Rejected, type SystemUnusable } from '../../errors.ts';
import { tlsFaultOf } from '../certificates.ts';
import { codeOf } from '../failure-code.ts';
import { unusable } from './address.ts';
import type { ClientSettings } from './client.ts';

const PROBE_TIMEOUT_MS = 3000;
const GRPC_UNAUTHENTICATED = 16;

/** A connection of our own, since the client's errors keep the reason to themselves. Null where it could be made. */
const probe = async ({ hosts, channel }: ClientSettings): Promise<unknown> => {
  const [first] = hosts;
  if (!first) return null;
  const { address: host, port } = first;
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

const isAccessDenied = (error: unknown): boolean =>
  error instanceof Error &&
  isCommandError(error) &&
  (error.type === ErrorType.ACCESS_DENIED || error.code === GRPC_UNAUTHENTICATED);

/** Why the log could not be opened, in words for whoever set it up. */
export const diagnose = async (settings: ClientSettings, error: unknown): Promise<SystemUnusable> => {
  const cause = error instanceof Rejected ? error.cause : error;
  if (isAccessDenied(cause)) return unusable('refuses the user or the password', { cause });
  const failure = await probe(settings);
  const fault = tlsFaultOf(codeOf(failure), { trust: 'tlsCAFile', plain: 'tls=false' });
  if (fault) return unusable(fault.problem, { cause: failure });
  if (failure !== null) return unusable('cannot be reached', { passing: true, cause: failure });
  if (settings.channel.insecure)
    return unusable('does not answer there as it should: it may want TLS, still be starting or be another program', {
      passing: true,
      cause,
    });
  return unusable('does not answer, or has no leader yet', { passing: true, cause });
};
