import { CommunicationProtocolEnum, DaprClient, LogLevel } from '@dapr/dapr';
import type { Logger } from 'pino';
import { z } from 'zod';
import { SystemUnusable } from '../../errors.ts';
import type { Closable } from '../../ports/closable.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';
import { createDaprTransport, type SidecarRequest } from './transport.ts';

const HOST = '127.0.0.1';
const CHECK_TIMEOUT_MS = 3_000;
const SYSTEM = 'the Dapr sidecar';

export interface DaprSettings {
  /** The port of this process's sidecar on this machine: `DAPR_HTTP_PORT`. */
  http_port: number;
  /** What the sidecar demands in the header `dapr-api-token`: `DAPR_API_TOKEN`; null where it demands nothing. */
  api_token: string | null;
  logger?: Logger;
}

/** One call of the sidecar: `what` names it in error messages, `timeout_ms` bounds the time to its answer. */
interface SidecarCall {
  what: string;
  timeout_ms: number;
  perform: (client: DaprClient) => Promise<unknown>;
}

export interface DaprSidecar extends Closable {
  /** The parsed JSON that the sidecar answered; null where it was empty. Throws `ServiceFailure`. */
  call(call: SidecarCall): Promise<unknown>;
  /** Throws `SystemUnusable` where the sidecar does not answer, refuses the token, or has no such component. */
  check(component?: { name: string; setting: string }): Promise<void>;
}

const Metadata = z.looseObject({ components: z.array(z.looseObject({ name: z.string() })).nullish() });

const ignore = (): void => undefined;
/** Keeps the SDK from writing to the console: every failure is thrown as an error anyway. */
const SILENT = { error: ignore, warn: ignore, info: ignore, verbose: ignore, debug: ignore };

/** The empty answer that the SDK gets, since the transport has read the real one already, with a bound on its size. */
const ALREADY_READ = { status: 200, statusText: 'OK', text: async () => '' };

/**
 * A client whose requests go to `transport`. The SDK knows the paths, the token and how a body is written; its own
 * transport never times out, reads answers of any length, follows redirects, and holds back the first call for up to a
 * minute until the sidecar is there.
 */
const clientOver = (
  { http_port, api_token }: DaprSettings,
  transport: (url: string, request: SidecarRequest) => Promise<typeof ALREADY_READ>,
): DaprClient => {
  const client = new DaprClient({
    daprHost: HOST,
    daprPort: String(http_port),
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    // Never undefined, or else the SDK would read the token from the environment.
    daprApiToken: api_token ?? '',
    // At the level debug the SDK would log headers, and with them the token.
    logger: { level: LogLevel.Error, service: SILENT },
  });
  client.daprClient.getClient = async () => transport;
  return client;
};

const unusable = (cause: ServiceFailure, where: string): SystemUnusable =>
  cause.retryable
    ? new SystemUnusable(SYSTEM, `does not answer at ${where}`, {
        settings: ['DAPR_HTTP_PORT'],
        transient: true,
        cause,
      })
    : new SystemUnusable(SYSTEM, 'refuses our token', { settings: ['DAPR_API_TOKEN'], transient: false, cause });

/** This process's sidecar, called through the SDK. Nothing is sent before the first call. */
export const createDaprSidecar = (settings: DaprSettings): DaprSidecar => {
  const where = `${HOST}:${settings.http_port}`;
  const transport = createDaprTransport(where, settings.logger);

  const call: DaprSidecar['call'] = async ({ what, timeout_ms, perform }) => {
    const limits = { what, timeout_ms, timeout: AbortSignal.timeout(timeout_ms) };
    let answer: unknown = null;
    const client = clientOver(settings, async (url, request) => {
      answer = await transport.exchange(url, request, limits);
      return ALREADY_READ;
    });
    await perform(client);
    return answer;
  };

  const readMetadata = async (): Promise<z.output<typeof Metadata>> => {
    try {
      const perform = (client: DaprClient) => client.metadata.get();
      return Metadata.parse(await call({ what: SYSTEM, timeout_ms: CHECK_TIMEOUT_MS, perform }));
    } catch (cause) {
      throw cause instanceof ServiceFailure ? unusable(cause, where) : cause;
    }
  };

  return {
    call,
    async check(component) {
      const { components } = await readMetadata();
      if (component === undefined) return;
      const names = components?.map(({ name }) => name) ?? [];
      if (names.includes(component.name)) return;
      const problem = `has no component ${component.name} (it has: ${names.join(', ') || 'none'})`;
      throw new SystemUnusable(SYSTEM, problem, { settings: [component.setting], transient: false });
    },
    close: transport.close,
  };
};
