import { once } from 'node:events';
import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Rejected, type SystemUnusable } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { tlsFaultOf } from '../certificates.ts';
import { unusable } from './address.ts';
import type { ClientSettings } from './client.ts';
import { isAccessDenied } from './connection.ts';

const PROBE_TIMEOUT_MS = 3000;

/** Opens a connection to get the reason, which the client's errors do not have. Null where it succeeds. */
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

/** Finds out why the log could not be opened. */
export const diagnose = async (settings: ClientSettings, error: unknown): Promise<SystemUnusable> => {
  const cause = error instanceof Rejected ? error.cause : error;
  if (isAccessDenied(cause)) return unusable('refuses the user or the password', { cause });
  const failure = await probe(settings);
  const fault = tlsFaultOf(codeOf(failure), { trust: 'tlsCAFile', plain: 'tls=false' });
  if (fault) return unusable(fault.problem, { cause: failure });
  if (failure !== null) return unusable('cannot be reached', { transient: true, cause: failure });
  if (settings.channel.insecure)
    return unusable('does not answer as expected: it may require TLS, still be starting, or be another program', {
      transient: true,
      cause,
    });
  return unusable('does not answer, or has no leader yet', { transient: true, cause });
};
