import { randomUUID } from 'node:crypto';
import { type JSONEventType, jsonEvent, StreamNotFoundError, WrongExpectedVersionError } from '@eventstore/db-client';
import pTimeout from 'p-timeout';
import { z } from 'zod';
import { SystemUnusable } from '../../errors.ts';
import { parseAddress, unusable } from './address.ts';
import { type EventStoreClient, LEADER, openClient } from './client.ts';
import { isNotLeader } from './connection.ts';
import { writeRefusalOf } from './diagnosis.ts';

/**
 * The stream with the log's id. Its only event has none of the metadata that marks BudApp's events, so that readers
 * skip it like an event of another system.
 */
const STREAM = 'budapp-log-identity';
const TYPE = 'LogIdentified';

const Identified = z.object({ log_id: z.uuid() });

const findIdentity = async (client: EventStoreClient): Promise<string | null> => {
  try {
    const events = client.readStream<JSONEventType>(STREAM, { ...LEADER, direction: 'forwards', maxCount: 1 });
    for await (const { event } of events) return Identified.parse(event?.data).log_id;
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error;
  }
  return null;
};

const createIdentity = async (client: EventStoreClient): Promise<void> => {
  try {
    const event = jsonEvent<JSONEventType>({ type: TYPE, data: { log_id: randomUUID() } });
    await client.appendToStream(STREAM, event, { ...LEADER, expectedRevision: 'no_stream' });
  } catch (error) {
    // Another process has written the id at the same moment: that one counts.
    if (!(error instanceof WrongExpectedVersionError)) throw error;
  }
};

const identify = async (client: EventStoreClient): Promise<string> => {
  const known = await findIdentity(client);
  if (known !== null) return known;
  await createIdentity(client);
  const made = await findIdentity(client);
  if (made === null) throw new Error(`the stream ${STREAM} is empty right after an append`);
  return made;
};

/** Retries once where the node is not the leader: the client knows the leader then. */
const identifyAtLeader = (client: EventStoreClient): Promise<string> =>
  identify(client).catch((error: unknown) => {
    if (!isNotLeader(error)) throw error;
    return identify(client);
  });

/**
 * The id of the log in EventStoreDB: a UUID that is made at the first call and kept in the log itself, so that a backup
 * contains it. Throws `SystemUnusable`, transient, where the server does not answer in time.
 */
export const eventStoreLogIdentity = async ({
  url,
  timeout = 5_000,
}: {
  url: string;
  /** The time-out in milliseconds. */
  timeout?: number;
}): Promise<string> => {
  const client = openClient(parseAddress(url));
  try {
    // The client's own time-outs do not apply where a server accepts a call and never answers.
    const message = unusable('did not return its log id in time', { transient: true });
    return await pTimeout(identifyAtLeader(client), { milliseconds: timeout, message });
  } catch (cause) {
    if (cause instanceof SystemUnusable) throw cause;
    throw writeRefusalOf(cause) ?? unusable('cannot return its log id', { transient: true, cause });
  } finally {
    await client.close();
  }
};
