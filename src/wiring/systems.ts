import { join } from 'node:path';
import { createDiskObjects } from '../adapters/disk-objects.ts';
import { createLocalStatusBus } from '../adapters/local-status-bus.ts';
import { natsServersOf } from '../adapters/nats/servers.ts';
import { createPostgresLog } from '../adapters/postgres/log.ts';
import type { Config } from '../config/config.ts';
import { streamPrefixes } from '../events/catalog.ts';
import { shownUrl } from '../failures/server-url.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Log } from '../ports/log.ts';
import type { LogFence } from '../ports/log-fence.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { StatusBus } from '../ports/status-bus.ts';
import type { Logger } from '../telemetry.ts';
import type { Closing } from './closing.ts';
import type { Database } from './database.ts';
import { fencedLog } from './log-fence/fenced-log.ts';
import { assertWhole } from './log-fence/log-fence.ts';
import type { RetryUntilAvailable } from './retry-until-available.ts';

// The clients of the real systems are loaded on demand: the embedded default needs none of them.

export interface SystemNeeds {
  closing: Closing;
  logger: Logger;
  retryUntilAvailable: RetryUntilAvailable;
}

/** An opened system, and how `/health/ready` shows it. */
interface Opened<T> {
  value: T;
  dependency: Dependency;
}

interface OpenedLog {
  log: Log;
  implementation: string;
  refusalOf(error: unknown): Error | null;
}

/** EventStoreDB where the settings name it, else the log in Postgres. */
export const openLog = async (
  config: Config,
  database: Database,
  { closing, logger, retryUntilAvailable, fence }: SystemNeeds & { fence: LogFence },
): Promise<Opened<Log>> => {
  const open = async (): Promise<OpenedLog> => {
    const url = config.eventstore_url;
    if (url === null) {
      return {
        log: await createPostgresLog({ connectionString: database.connection_string }),
        implementation: 'postgres',
        refusalOf: () => null,
      };
    }
    const { createEventStoreLog } = await import('../adapters/eventstore/log.ts');
    const { refusalOf } = await import('../adapters/eventstore/diagnosis.ts');
    const log = await retryUntilAvailable(() => createEventStoreLog({ url, logger, streamPrefixes, fence }));
    return { log, implementation: `EventStoreDB at ${shownUrl(url)}`, refusalOf };
  };
  const { log, implementation, refusalOf } = await open();
  closing.add('log', log);
  const check = async () => {
    assertWhole(fence);
    try {
      await log.head();
    } catch (error) {
      // A password that was changed on the server, or a user who was disabled: what a caller is told does not name it.
      throw refusalOf(error) ?? error;
    }
  };
  return {
    value: fencedLog(log, fence),
    dependency: { name: 'log', implementation, stand_in: false, needed: true, check },
  };
};

/** MinIO where the settings name it, else files on this machine. */
export const openObjects = async (
  config: Config,
  { logger, retryUntilAvailable }: SystemNeeds,
): Promise<Opened<ObjectStore>> => {
  const open = async (): Promise<{ objects: ObjectStore; implementation: string }> => {
    const { minio } = config;
    if (minio === null) {
      const objects = await createDiskObjects({ dir: join(config.data_dir, 'objects') });
      return { objects, implementation: `files under ${config.data_dir}` };
    }
    const { createMinioObjects } = await import('../adapters/minio/objects.ts');
    const objects = await retryUntilAvailable(() => createMinioObjects({ ...minio, logger }));
    return { objects, implementation: `MinIO at ${minio.endpoint}, bucket ${minio.bucket}` };
  };
  const { objects, implementation } = await open();
  const check = async () => {
    await objects.find('health/none');
  };
  const stand_in = config.minio === null;
  return { value: objects, dependency: { name: 'object-store', implementation, stand_in, needed: false, check } };
};

/** NATS where the settings name it, else a bus inside this process. */
export const openStatusBus = async (
  config: Config,
  { closing, logger, retryUntilAvailable }: SystemNeeds,
): Promise<Opened<StatusBus>> => {
  const url = config.nats_url;
  if (url === null) {
    const bus = closing.add('status bus', createLocalStatusBus({ log: logger }));
    const check = async () => {};
    const implementation = 'in this process';
    return { value: bus, dependency: { name: 'status-bus', implementation, stand_in: true, needed: false, check } };
  }
  const { createNatsStatusBus } = await import('../adapters/nats/status-bus.ts');
  const bus = closing.add('status bus', await retryUntilAvailable(() => createNatsStatusBus({ url, log: logger })));
  const implementation = `NATS at ${natsServersOf(url).shown}`;
  return {
    value: bus,
    dependency: { name: 'status-bus', implementation, stand_in: false, needed: false, check: () => bus.check() },
  };
};
