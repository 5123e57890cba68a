import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ApiSettings } from '../api/services.ts';
import type { Config } from '../config/config.ts';
import { generatedServiceToken } from '../local/generated-secret.ts';
import type { Closable } from '../ports/closable.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Logger } from '../telemetry.ts';
import { type Closing, createClosing } from './closing.ts';
import { openCoreServices } from './core-services.ts';
import { openHttpServer } from './http-server.ts';
import { openIdentity } from './identity.ts';
import { createRetryUntilAvailable } from './retry-until-available.ts';
import { openRevocations } from './revocations.ts';
import { attach, openApi, openHealthApi, type RoleNeeds, startProcesses, startProjector } from './roles.ts';
import { openServices } from './services.ts';
import { openObjects, openStatusBus } from './systems.ts';

export interface BudApp extends Closable {
  url: string;
  dependencies: readonly Dependency[];
  /** The admin's password, where this start generated it: to be shown once. */
  generated_password: string | null;
}

const versionOf = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

/** The token that services send. It must be the same in all processes, which share the master key where one is set. */
const serviceTokenOf = async ({ app_api_token, master_key, data_dir }: Config): Promise<string> => {
  if (app_api_token !== null) return app_api_token;
  if (master_key === null) return generatedServiceToken(data_dir);
  return createHmac('sha256', master_key).update('service token').digest('base64url');
};

const settingsOf = async (config: Config, local_url: string): Promise<ApiSettings> => ({
  public_url: config.public_url ?? local_url,
  version: versionOf(),
  max_upload_bytes: config.max_upload_bytes,
  dapr_api_token: await serviceTokenOf(config),
  own_writes_timeout_ms: config.own_writes_timeout_ms,
  // The lock on the embedded server's folder keeps others away.
  alone: config.postgres === null,
  enable_metrics: config.enable_metrics,
  pubsub_name: config.pubsub_name,
});

const openIdentityFor = async (needs: RoleNeeds, public_url: string) => {
  const { config, closing, logger, core } = needs;
  const revocations = await openRevocations(config, { closing, logger, pool: core.pool });
  const identity = await openIdentity(config, {
    ...needs,
    revocations: revocations.value,
    public_url,
    pool: core.pool,
  });
  core.dependencies.push(identity.dependency, ...(revocations.dependency ? [revocations.dependency] : []));
  return identity;
};

interface StartOptions {
  logger: Logger;
  closing: Closing;
  signal: AbortSignal | undefined;
}

const start = async (config: Config, { logger, closing, signal }: StartOptions): Promise<Omit<BudApp, 'close'>> => {
  const http = closing.add('HTTP server', await openHttpServer(config));
  const local_url = `http://${config.host}:${http.port}`;
  const retryUntilAvailable = createRetryUntilAvailable({ timeout_ms: config.start_timeout_ms, logger, signal });
  const core = await openCoreServices(config, { closing, logger, retryUntilAvailable });
  const { dependencies } = core;
  const needs: RoleNeeds = { config, closing, logger, retryUntilAvailable, core };
  const settings = await settingsOf(config, local_url);
  const callback = {
    url: `${config.notifications_url ?? local_url}/notifications`,
    token: settings.dapr_api_token,
  };
  const plays = (...roles: Config['roles'][number][]) => roles.some((role) => config.roles.includes(role));

  const identity = plays('api') ? await openIdentityFor(needs, settings.public_url) : null;
  const objects = plays('api', 'processes') ? await openObjects(config, needs) : null;
  const bus = plays('api', 'projector') ? await openStatusBus(config, needs) : null;
  const artefacts = config.minio ? objects?.value : undefined;
  const services = plays('api', 'processes') ? await openServices(config, { ...needs, callback, artefacts }) : null;
  for (const opened of [objects, bus]) if (opened) dependencies.push(opened.dependency);
  dependencies.push(...(services?.dependencies ?? []));

  const api =
    identity && objects && bus && services
      ? await openApi(needs, {
          ...{ identity, settings },
          objects: objects.value,
          bus: bus.value,
          invoker: services.invoker,
        })
      : null;
  if (bus && plays('projector')) startProjector(needs, bus.value);
  if (objects && services && plays('processes')) {
    startProcesses(needs, { objects: objects.value, invoker: services.invoker });
  }
  if (api) attach(api, http);
  else http.serve(openHealthApi(needs, settings).callback());
  return { url: settings.public_url, dependencies, generated_password: identity?.generated_password ?? null };
};

/**
 * Opens everything that the roles need, and serves. Throws where something cannot be opened, and then leaves nothing
 * open. `close` shuts down in order. Aborting `signal` ends the waiting for systems that do not answer yet.
 */
export const startBudApp = async (config: Config, logger: Logger, signal?: AbortSignal): Promise<BudApp> => {
  const closing = createClosing();
  try {
    const started = await start({ ...config, data_dir: resolve(config.data_dir) }, { logger, closing, signal });
    return { ...started, close: () => closing.close() };
  } catch (error) {
    await closing.close().catch((cause) => logger.warn({ err: cause }, 'not everything closed after a failed start'));
    throw error;
  }
};
