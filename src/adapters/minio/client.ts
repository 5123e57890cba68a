import http from 'node:http';
import https from 'node:https';
import { Client, S3Error } from 'minio';
import pRetry from 'p-retry';
import { SystemUnusable } from '../../errors.ts';

export interface MinioConnection {
  /** `host` or `host:port`. */
  endpoint: string;
  access_key: string;
  secret_key: string;
  /** Over TLS, with the certificates that Node trusts (`NODE_EXTRA_CA_CERTS`). */
  secure: boolean;
  bucket: string;
}

/** A connection was given up because no byte came from MinIO for too long. */
export class MinioTimeout extends Error {
  constructor(seconds: number) {
    super(`MinIO has not answered for ${seconds} seconds`);
    this.name = 'MinioSilent';
  }
}

const RETRIES = 3;
const FIRST_RETRY_MS = 200;

/** Closes connections on which no byte moves in either direction, so that no request waits for ever. */
const withIdleTimeout = <Agent extends http.Agent>(agent: Agent, idleMs: number): Agent => {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (...given: Parameters<typeof createConnection>) => {
    const socket = createConnection(...given);
    socket?.on('timeout', () => socket.destroy(new MinioTimeout(idleMs / 1000)));
    return socket;
  };
  return agent;
};

/** True for a failure of the connection. A refusal of the server, or its silence, would be the same the next time. */
const isTransient = (error: unknown): boolean =>
  !(error instanceof S3Error || error instanceof MinioTimeout || error instanceof TypeError);

/**
 * Retries where the connection failed, by default within about two seconds: enough for connections that a restart of
 * MinIO has cut. Only for work that may be done twice.
 */
export const withRetries = <Result>(work: () => Promise<Result>, { retries = RETRIES } = {}): Promise<Result> =>
  pRetry(work, {
    retries,
    minTimeout: FIRST_RETRY_MS,
    factor: 2,
    randomize: true,
    shouldRetry: ({ error }) => isTransient(error),
  });

/**
 * A client of MinIO, or of another store that speaks S3. Connections are kept for the next request, and closed after
 * `idle_ms` without a byte. Throws `SystemUnusable` where the endpoint or a key is missing or cannot be read.
 */
export const createMinioClient = (settings: MinioConnection, { idle_ms }: { idle_ms: number }): Client => {
  const { endpoint, access_key, secret_key, secure } = settings;
  const url = URL.parse(`http://${endpoint}`);
  if (url === null || access_key === '' || secret_key === '') {
    throw new SystemUnusable('MinIO', 'needs an endpoint (host or host:port), an access key and a secret key', {
      settings: ['MINIO_ENDPOINT', 'MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'],
      transient: false,
    });
  }
  const agentOptions = { keepAlive: true, timeout: idle_ms };
  // `URL` drops port 80 from an http address.
  const port = /:\d+$/.test(endpoint) ? { port: Number(url.port || 80) } : {};
  return new Client({
    endPoint: url.hostname,
    ...port,
    useSSL: secure,
    accessKey: access_key,
    secretKey: secret_key,
    transportAgent: withIdleTimeout(secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions), idle_ms),
    // The client's own retries hide why a request failed.
    retryOptions: { disableRetry: true },
  });
};
