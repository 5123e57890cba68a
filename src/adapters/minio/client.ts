import http from 'node:http';
import https from 'node:https';
import { Client, S3Error } from 'minio';
import pRetry from 'p-retry';
import { SystemUnusable } from '../../errors.ts';

export interface MinioSettings {
  /** `host` or `host:port`. */
  endpoint: string;
  access_key: string;
  secret_key: string;
  /** Over TLS, with the certificates that Node trusts (`NODE_EXTRA_CA_CERTS`). */
  secure: boolean;
  bucket: string;
}

/** MinIO said nothing for so long that its connection was given up. */
export class MinioSilent extends Error {
  constructor(seconds: number) {
    super(`MinIO has said nothing for ${seconds} seconds`);
    this.name = 'MinioSilent';
  }
}

const RETRIES = 3;
const FIRST_RETRY_MS = 200;

/** Gives up connections on which nothing moves, in either direction: no request can wait for ever. */
const givingUp = <Agent extends http.Agent>(agent: Agent, idleMs: number): Agent => {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (...given: Parameters<typeof createConnection>) => {
    const socket = createConnection(...given);
    socket?.on('timeout', () => socket.destroy(new MinioSilent(idleMs / 1000)));
    return socket;
  };
  return agent;
};

/** A server that refused said so; one that broke off or cannot be reached may do it the next time. */
const isPassing = (error: unknown): boolean =>
  !(error instanceof S3Error || error instanceof MinioSilent || error instanceof TypeError);

/**
 * Does it again where the connection failed or the server was not ready: by default within about two seconds, which is
 * enough for connections that a restart cut. Only for what may be done twice.
 */
export const again = <Result>(work: () => Promise<Result>, { retries = RETRIES } = {}): Promise<Result> =>
  pRetry(work, {
    retries,
    minTimeout: FIRST_RETRY_MS,
    factor: 2,
    randomize: true,
    shouldRetry: ({ error }) => isPassing(error),
  });

/**
 * A client of MinIO, or of another store that speaks S3. Its connections are kept for the next request, and given up
 * after `idle_ms` without a byte. Throws `SystemUnusable` where the endpoint is none.
 */
export const createMinioClient = (settings: MinioSettings, { idle_ms }: { idle_ms: number }): Client => {
  const { endpoint, access_key, secret_key, secure } = settings;
  const url = URL.parse(`http://${endpoint}`);
  if (url === null || access_key === '' || secret_key === '') {
    throw new SystemUnusable('MinIO', 'needs an endpoint (host or host:port), an access key and a secret key', {
      settings: ['MINIO_ENDPOINT', 'MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'],
      passing: false,
    });
  }
  const agentOptions = { keepAlive: true, timeout: idle_ms };
  // An http URL has no port where it is 80.
  const port = /:\d+$/.test(endpoint) ? { port: Number(url.port || 80) } : {};
  return new Client({
    endPoint: url.hostname,
    ...port,
    useSSL: secure,
    accessKey: access_key,
    secretKey: secret_key,
    transportAgent: givingUp(secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions), idle_ms),
    // Its own way of doing things again hides why they failed.
    retryOptions: { disableRetry: true },
  });
};
