import { randomUUID } from 'node:crypto';
import { type JSONEventType, jsonEvent, StreamNotFoundError, WrongExpectedVersionError } from '@eventstore/db-client';
import pTimeout from 'p-timeout';
import { z } from 'zod';
import { SystemUnusable } from '../../errors.ts';
import { parseAddress, unusable } from './address.ts';
import { type EventStoreClient, LEADER, openClient } from './client.ts';
import { isNotLeader } from './connection.ts';

/**
 * A stream of its own. Its one event has none of the metadata by which BudApp knows its own events, so that whoever reads
 * the log passes over it, as over every other system's.
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

const makeIdentity = async (client: EventStoreClient): Promise<void> => {
  try {
    const event = jsonEvent<JSONEventType>({ type: TYPE, data: { log_id: randomUUID() } });
    await client.appendToStream(STREAM, event, { ...LEADER, expectedRevision: 'no_stream' });
  } catch (error) {
    // Somebody else who starts at this moment was first: theirs counts.
    if (!(error instanceof WrongExpectedVersionError)) throw error;
  }
};

const identify = async (client: EventStoreClient): Promise<string> => {
  const known = await findIdentity(client);
  if (known !== null) return known;
  await makeIdentity(client);
  const made = await findIdentity(client);
  if (made === null) throw new Error(`the stream ${STREAM} is empty right after an append`);
  return made;
};

/** Where the address names a node that does not lead (any more), the same client is right the second time. */
const identifyAtLeader = (client: EventStoreClient): Promise<string> =>
  identify(client).catch((error: unknown) => {
    if (!isNotLeader(error)) throw error;
    return identify(client);
  });

/**
 * Which log the one in EventStoreDB is: a UUID that is made at the first time of asking and kept in the log itself, so a
 * backup of it has it, too. Throws `SystemUnusable`, passing, where nobody answers in time.
 */
export const eventStoreLogIdentity = async ({
  url,
  timeout = 5_000,
}: {
  url: string;
  /** Milliseconds. */
  timeout?: number;
}): Promise<string> => {
  const client = openClient(parseAddress(url));
  try {
    // The client's own limits are not kept by a server that is mute.
    const message = unusable('does not say in time which log it is', { passing: true });
    return await pTimeout(identifyAtLeader(client), { milliseconds: timeout, message });
  } catch (cause) {
    if (cause instanceof SystemUnusable) throw cause;
    throw unusable('does not say which log it is', { passing: true, cause });
  } finally {
    await client.close();
  }
};
