import pg from 'pg';
import { isEventStoreAddress } from '../../adapters/eventstore/address.ts';
import { eventStoreLogIdentity } from '../../adapters/eventstore/identity.ts';
import { createEventStoreImport } from '../../adapters/eventstore/import.ts';
import { checkPostgres } from '../../adapters/postgres/check-server.ts';
import { surviveLostConnections } from '../../adapters/postgres/connection.ts';
import { createPostgresLog } from '../../adapters/postgres/log.ts';
import { createPostgresLogImport, postgresLogIdentity } from '../../adapters/postgres/log-import.ts';
import { migrate } from '../../adapters/postgres/migrate.ts';
import type { Config } from '../../config/config.ts';
import { parseServerUrl, shownUrl } from '../../failures/server-url.ts';
import type { Log, LogImport } from '../../ports/log.ts';
import type { Logger } from '../../telemetry.ts';
import type { Closing } from '../closing.ts';
import type { Database } from '../database.ts';
import { LOG_APPLICATION } from '../log-positions/nobody-works.ts';

/** A log as `budapp log copy` names it. */
export interface LogPlace {
  /** As people read it: without a password. */
  name: string;
  id: string;
  log: Log & LogImport;
}

/** The text names no log; the message says how a log is named. */
export class UnknownPlace extends Error {
  constructor(problem: string) {
    super(
      `${problem} A log is named as: postgres (the POSTGRES_* settings, or the embedded one), eventstore (EVENTSTORE_URL), ` +
        'or by an address that starts with postgres://, esdb:// (also kurrentdb:// or kdb://) or esdb+discover://.',
    );
    this.name = 'UnknownPlace';
  }
}

export interface PlaceNeeds {
  config: Config;
  database: Database;
  closing: Closing;
  logger: Logger;
}

/** A pool whose application name tells its connections from those of a running BudApp. */
export const openCopyPool = (connectionString: string, closing: Closing): pg.Pool => {
  const pool = new pg.Pool({ connectionString, max: 6, application_name: LOG_APPLICATION });
  surviveLostConnections(pool);
  closing.add('connection pool', { close: () => pool.end() });
  return pool;
};

const openPostgres = async (name: string, connectionString: string, { closing }: PlaceNeeds): Promise<LogPlace> => {
  const pool = openCopyPool(connectionString, closing);
  const log = closing.add('log', await createPostgresLog({ pool }));
  return { name, id: await postgresLogIdentity(pool), log: { ...log, ...createPostgresLogImport({ pool }) } };
};

const openOtherPostgres = async (url: string, needs: PlaceNeeds): Promise<LogPlace> => {
  if (parseServerUrl(url) === null) throw new UnknownPlace('The address of Postgres cannot be read.');
  await checkPostgres({ connectionString: url });
  await migrate({ connectionString: url, log: (line) => needs.logger.info(line) });
  return openPostgres(shownUrl(url), url, needs);
};

const openEventStore = async (url: string, { closing, logger }: PlaceNeeds): Promise<LogPlace> => {
  const log = closing.add('log', await createEventStoreImport({ url, logger }));
  return { name: shownUrl(url), id: await eventStoreLogIdentity({ url }), log };
};

/** Opens the log that a word or an address names. Throws `UnknownPlace` and `SystemUnusable`. */
export const openLogPlace = async (place: string, needs: PlaceNeeds): Promise<LogPlace> => {
  const { config, database } = needs;
  if (place === 'postgres') return openPostgres(database.implementation, database.connection_string, needs);
  if (/^postgres(ql)?:\/\//.test(place)) return openOtherPostgres(place, needs);
  if (isEventStoreAddress(place)) return openEventStore(place, needs);
  if (place !== 'eventstore') throw new UnknownPlace(`${shownUrl(place)} names no log.`);
  if (config.eventstore_url === null) throw new UnknownPlace('EVENTSTORE_URL is not set.');
  return openEventStore(config.eventstore_url, needs);
};
