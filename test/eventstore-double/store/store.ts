import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import {
  createEventLog,
  type EventLog,
  type EventLogOptions,
  type ExpectedRevision,
  jsonEvent,
  metadataStream,
} from './event-log.ts';
import { type Journal, openJournal } from './journal.ts';
import type { ProposedEvent, StoredEvent } from './stored-event.ts';
import { decideWrite } from './write-decision.ts';
import { createWriteOrder, processSeed } from './write-order.ts';

export interface Write {
  kind: 'append' | 'delete' | 'tombstone';
  stream: string;
  expected: ExpectedRevision;
  /** Empty unless it appends. */
  events: readonly ProposedEvent[];
}

/** What became of a write; `position` is that of its last event or, where it has none, of the end of the log. */
export type Outcome =
  | { kind: 'written'; revision: number; position: number }
  | { kind: 'wrong-expected-version'; current: number }
  | { kind: 'deleted' };

export interface StoreOptions extends EventLogOptions {
  /** A file that holds the log; without it the log is gone with the process. */
  journal?: string;
  /** For the order of writes that come at once; that of the process where it is left out. */
  seed?: number;
}

/** The log, its journal, and the one writer before both. All nodes of a cluster share one. */
export interface Store {
  log: EventLog;
  /** Resolves when it is durable and visible. */
  write(write: Write): Promise<Outcome>;
  /** Calls whenever readers may find something new; answers a function that ends that. */
  onAdvance(listener: () => void): () => void;
  loseTail(count: number): Promise<void>;
  /** A copy of the data as it is now. */
  backup(): Promise<Backup>;
  /**
   * What a restart of all nodes does: the ids seen lately are forgotten, and the events too where the log is lost. With a
   * backup, the log is as it was then and goes on from there.
   */
  restart(log: 'keep' | 'lose' | Backup): Promise<void>;
  close(): Promise<void>;
}

/** The data of a node, copied. */
export interface Backup {
  events: readonly StoredEvent[];
}

interface Waiting {
  write: Write;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}

const DELETED = '{"$tb":9223372036854775807}';

/** Stages what the write adds to the log. Soft deletion and its undoing are events in the stream's metadata stream. */
const stage = (log: EventLog, { kind, stream, events }: Write, undelete: boolean): StoredEvent[] => {
  if (kind === 'tombstone') return [log.stage(stream, jsonEvent('$streamDeleted', {}), Infinity)];
  if (kind === 'delete') {
    const deletion = { ...jsonEvent('$metadata', {}), data: Buffer.from(DELETED) };
    return [log.stage(metadataStream(stream), deletion)];
  }
  const first = log.revisionOf(stream) + 1;
  const staged = events.map((event) => log.stage(stream, event));
  if (undelete && staged.length > 0)
    staged.push(log.stage(metadataStream(stream), jsonEvent('$metadata', { $tb: first })));
  return staged;
};

const positionOf = (log: EventLog, stream: string, revision: number): number =>
  log.event(log.indicesOf(stream)[revision] ?? -1)?.position ?? log.end();

const perform = (log: EventLog, write: Write): { outcome: Outcome; staged: StoredEvent[] } => {
  const { kind, stream, expected, events } = write;
  const deletes = kind === 'delete';
  const decision = decideWrite(log, { stream, expected, ids: events.map(({ id }) => id), deletes });
  switch (decision.kind) {
    case 'write': {
      const staged = stage(log, write, decision.undelete);
      const last = kind === 'append' ? staged[events.length - 1] : staged.at(-1);
      const revision = last?.revision ?? log.revisionOf(stream);
      return { outcome: { kind: 'written', revision, position: last?.position ?? log.end() }, staged };
    }
    case 'repeat': {
      // The answer tells the revision and the position of the last of the events that are already there.
      const revision = decision.lastRevision;
      return { outcome: { kind: 'written', revision, position: positionOf(log, stream, revision) }, staged: [] };
    }
    case 'wrong-expected-version':
    case 'deleted':
      return { outcome: decision, staged: [] };
  }
};

interface WriterOptions {
  log: EventLog;
  journal: Journal | undefined;
  seed: number;
  advanced(): void;
}

const createWriter = ({ log, journal, seed, advanced }: WriterOptions) => {
  const inSomeOrder = createWriteOrder(seed);
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  /** Everything that waits goes to disk with one flush (group commit). */
  const commit = async (batch: readonly Waiting[]): Promise<void> => {
    const performed = batch.map(({ write }) => perform(log, write));
    const writes = performed.map(({ staged }) => staged).filter((staged) => staged.length > 0);
    if (writes.length > 0) await journal?.append(writes);
    log.publish();
    if (writes.length > 0) advanced();
    for (const [n, { outcome }] of performed.entries()) batch[n]?.resolve(outcome);
  };

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      // What has come over the network by now was asked for at once, and is read one message at a time.
      await turnOfTheLoop();
      const batch = inSomeOrder(waiting);
      waiting = [];
      await commit(batch).catch((error: unknown) => {
        for (const { reject } of batch) reject(error);
      });
    }
    running = undefined;
  };

  return {
    write: (write: Write): Promise<Outcome> =>
      new Promise((resolve, reject) => {
        waiting.push({ write, resolve, reject });
        running ??= Promise.resolve().then(run);
      }),
    /** Does something to the log when no write is under way; writes that come meanwhile wait. */
    async exclusively(task: () => Promise<void>): Promise<void> {
      while (running !== undefined) await running;
      const done = task();
      running = done.then(run, run);
      await done;
    },
  };
};

export const openStore = async ({ journal: path, seed = processSeed(), ...options }: StoreOptions): Promise<Store> => {
  const log = createEventLog(options);
  const journal = path === undefined ? undefined : await openJournal(path);
  if (journal !== undefined && journal.events.length > 0) log.restore(journal.events);
  else await journal?.rewrite(log.all());

  let closed: Promise<void> | undefined;
  const listeners = new Set<() => void>();
  const advanced = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const writer = createWriter({ log, journal, seed, advanced });

  return {
    log,
    write: writer.write,
    onAdvance(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    loseTail: (count) =>
      writer.exclusively(async () => {
        log.truncate(count);
        await journal?.rewrite(log.all());
      }),
    async backup() {
      let events: readonly StoredEvent[] = [];
      await writer.exclusively(async () => {
        events = [...log.all()];
      });
      return { events };
    },
    restart: (kept) =>
      writer.exclusively(async () => {
        log.recent.clear();
        if (kept === 'keep') return;
        if (kept === 'lose') log.clear();
        else log.restore(kept.events);
        await journal?.rewrite(log.all());
      }),
    close() {
      closed ??= writer.exclusively(async () => journal?.close());
      return closed;
    },
  };
};
