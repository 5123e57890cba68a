import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError, loadLocalServiceConfig } from '../../config/config.ts';
import type { LocalServiceConfig } from '../../config/local-service.ts';
import { lockOwner } from '../../local/machine/owner-lock.ts';
import type { Callback } from '../../local/service/callback.ts';
import { publishOver } from '../../local/service/delivery.ts';
import type { LocalService } from '../../local/service/loopback.ts';
import { createLogger, type Logger } from '../../telemetry.ts';
import { closeAtSignal } from '../close-at-signal.ts';
import { createClosing } from '../closing.ts';
import { createRetryUntilAvailable } from '../retry-until-available.ts';
import { isServiceName, needsOf, openStandIn, SERVICE_NAMES, type ServiceName } from '../stand-ins.ts';

/** The command line's options, as text. */
export interface LocalServiceFlags {
  port: string;
  host: string;
  public_url?: string | undefined;
  data_dir: string;
}

interface Asked {
  name: ServiceName;
  port: number;
  flags: LocalServiceFlags;
  config: LocalServiceConfig;
}

const openArtefacts = async ({ minio, start_timeout_ms }: LocalServiceConfig, logger: Logger) => {
  if (minio === null) return undefined;
  const { createMinioObjects } = await import('../../adapters/minio/objects.ts');
  const retryUntilAvailable = createRetryUntilAvailable({ timeout_ms: start_timeout_ms, logger });
  return retryUntilAvailable(() => createMinioObjects({ ...minio, logger }));
};

/** Null where neither a sidecar nor BudApp's address is set: the rules demand one of them where messages are sent. */
const callbackOf = ({ sidecar, notifications }: LocalServiceConfig, log: Logger): Callback | null =>
  sidecar === null ? notifications : { deliver: publishOver({ ...sidecar, log }) };

const openService = async ({ name, port, flags, config }: Asked, log: Logger): Promise<LocalService> => {
  const closing = createClosing();
  try {
    const data_dir = resolve(flags.data_dir);
    await mkdir(data_dir, { recursive: true });
    closing.add('lock', await lockOwner(join(data_dir, 'service.lock'), data_dir));
    const listen = { host: flags.host, port, public_url: flags.public_url };
    const artefacts = needsOf(name).artefacts ? await openArtefacts(config, log) : undefined;
    const { cluster } = config;
    const opening = { data_dir, listen, log, artefacts, cluster, callback: callbackOf(config, log) };
    const service = closing.add(name, await openStandIn(name, opening));
    return { url: service.url, close: () => closing.close() };
  } catch (error) {
    await closing.close();
    throw error;
  }
};

const parseName = (name: string): ServiceName => {
  if (isServiceName(name)) return name;
  throw new ConfigError([`there is no local service ${name}: one of ${SERVICE_NAMES.join(', ')}`]);
};

const portOf = (text: string): number => {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new ConfigError([`--port must be a number between 1 and 65535, not ${JSON.stringify(text)}`]);
};

/**
 * Serves one local service until SIGTERM or SIGINT. Throws `ConfigError` for a wrong name, port or setting, or else the
 * error that the opening failed with.
 */
export const runLocalService = async (named: string, flags: LocalServiceFlags): Promise<void> => {
  const name = parseName(named);
  const { messages, cluster } = needsOf(name);
  const config = loadLocalServiceConfig({ messages, cluster });
  const log = createLogger({ level: config.log_level }).child({ part: name });
  const starting = openService({ name, port: portOf(flags.port), flags, config }, log);
  closeAtSignal(starting, log);
  const { url } = await starting;
  const way = config.sidecar === null ? 'straight to BudApp' : `over ${config.sidecar.pubsub_name}`;
  log.warn(`stands in for ${name} at ${url}, for trials and tests only${messages ? `; messages go ${way}` : ''}`);
  process.send?.({ ready: { url } });
};
