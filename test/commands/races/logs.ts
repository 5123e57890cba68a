import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import type { Caller } from '../../../src/commands/access.ts';
import { findCommand } from '../../../src/commands/catalog.ts';
import { createCommandHandler, type Outcome, type Request } from '../../../src/commands/engine/handle.ts';
import { Rejected } from '../../../src/errors.ts';
import type { Area, Fact, Recorded } from '../../../src/events/catalog.ts';
import { streamOf, toFact } from '../../../src/events/catalog.ts';
import { CommandId, newId } from '../../../src/events/ids.ts';
import { Sealed } from '../../../src/events/sealed.ts';
import type { Log } from '../../../src/ports/log.ts';
import type { Vault } from '../../../src/ports/vault.ts';
import { createEventStoreDouble } from '../../eventstore-double/double.ts';
import { testDatabase } from '../../postgres.ts';
import { anEvent } from '../../projections/facts.ts';
import { tenant } from '../given.ts';

/** Two connections to one log, as two processes have. */
interface SharedLog {
  logs: readonly [Log, Log];
  close(): Promise<void>;
}

/** The memory log answers at once, and no two commands would ever meet. */
const slowly = (log: Log): Log => ({
  ...log,
  append: async (...append) => {
    await delay(Math.random() * 3);
    return log.append(...append);
  },
});

const closing = (logs: SharedLog['logs'], last: () => Promise<void> | undefined): SharedLog => ({
  logs,
  close: async () => {
    await Promise.all(logs.map((log) => log.close()));
    await last();
  },
});

/** What the races run over. */
export const LOGS: Readonly<Record<string, () => Promise<SharedLog>>> = {
  'in memory': async () => {
    const log = slowly(createMemoryLog());
    return closing([log, log], () => undefined);
  },
  'in Postgres': async () => {
    const { connection_string: connectionString, close } = await testDatabase();
    return closing(
      [await createPostgresLog({ connectionString }), await createPostgresLog({ connectionString })],
      close,
    );
  },
  'in EventStoreDB, by its test double': async () => {
    const { url, close } = await createEventStoreDouble();
    const logger = pino({ level: 'silent' });
    return closing([await createEventStoreLog({ url, logger }), await createEventStoreLog({ url, logger })], close);
  },
};

const vault: Vault = {
  sealer: async (subject) => (text) =>
    Sealed.parse(`sealed:1:${subject}:iv:tag:${Buffer.from(text).toString('base64url')}`),
  open: async () => null,
  erase: async () => undefined,
};

export type Send = (type: string, data: unknown, request: { caller: Caller } & Partial<Request>) => Promise<Outcome>;

/** The command handlers of two processes. */
export const handlersOver = ({ logs }: SharedLog) => {
  const senders = logs.map((log): Send => {
    const clock = () => new Date().toISOString();
    const handle = createCommandHandler({ log, vault, clock, findLiveEndpoints: async () => [] });
    return (type, data, request) => {
      const command = findCommand(type);
      if (!command) throw new Error(`no command ${type}`);
      const command_id = newId(CommandId);
      return handle(command, data, { command_id, correlation_id: command_id, ...request });
    };
  });
  const [log] = logs;
  return {
    /** Sends through one process and the other in turns. */
    send: (n: number): Send => senders[n % senders.length]!,
    given: async (area: Area, id: string, ...facts: readonly Fact[]): Promise<void> => {
      const events = facts.map((fact) => anEvent(fact, { tenant_id: tenant }));
      await log.append(streamOf(area, id), events, { expected: 'none' });
    },
    facts: async (area: Area, id: string): Promise<Recorded[]> => {
      const found: Recorded[] = [];
      for await (const event of log.readStream(streamOf(area, id))) found.push(toFact(event));
      return found;
    },
  };
};

/** How each of them ended: `done`, or the code of its refusal. */
export const endings = async (sent: readonly Promise<Outcome>[]): Promise<string[]> =>
  Promise.all(
    sent.map((each) =>
      each.then(
        () => 'done',
        (error: unknown) => {
          if (error instanceof Rejected) return error.code;
          throw error;
        },
      ),
    ),
  );
