import { once } from 'node:events';
import { createUUID } from '@eventstore/db-client/dist/utils/grpcUUID.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Pool } from 'pg';
import { parseAddress } from '../../src/adapters/eventstore/address.ts';
import { openClient } from '../../src/adapters/eventstore/client.ts';
import { inTransaction, isDataError } from '../../src/postgres/transaction.ts';
import type { ForeignEvent } from './foreign-event.ts';

/** Somebody else who writes into the log. */
export interface ForeignWriter {
  /** False where the log itself refuses the event. */
  write(event: ForeignEvent): Promise<boolean>;
  close(): Promise<void>;
}

const requestOf = ({ id, stream, type, data, metadata, is_json }: ForeignEvent): streams.BatchAppendReq => {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream, 'utf8'));
  const options = new streams.BatchAppendReq.Options().setStreamIdentifier(identifier).setAny(new shared.Empty());
  const message = new streams.BatchAppendReq.ProposedMessage()
    .setId(createUUID(id))
    .setData(Buffer.from(data, 'utf8'))
    .setCustomMetadata(Buffer.from(metadata, 'utf8'));
  message.getMetadataMap().set('type', type);
  message.getMetadataMap().set('content-type', is_json ? 'application/json' : 'application/octet-stream');
  return new streams.BatchAppendReq()
    .setCorrelationId(createUUID(id))
    .setOptions(options)
    .setProposedMessagesList([message])
    .setIsFinal(true);
};

/** Another application that has the same EventStoreDB. */
export const eventStoreForeigner = async (url: string): Promise<ForeignWriter> => {
  const client = openClient(parseAddress(url));
  const call = await client.openBatches();
  return {
    async write(event) {
      const answered = once(call, 'data');
      call.write(requestOf(event));
      const [answer]: streams.BatchAppendResp[] = await answered;
      return answer?.hasSuccess() ?? false;
    },
    async close() {
      call.end();
      await client.close();
    },
  };
};

const INSERT = `
  insert into log_events (position, id, stream, revision, type, version, data, meta, at)
  select (select coalesce(max(position), 0) + 1 from log_events), $1, $2,
    (select coalesce(max(revision), -1) + 1 from log_events where stream = $2), $3, $4, $5, $6, $7`;

const metaIn = (metadata: string): string => {
  const { meta } = JSON.parse(metadata);
  return JSON.stringify(meta) ?? 'null';
};

/** Somebody with an SQL client. */
export const postgresForeigner = (pool: Pool): ForeignWriter => ({
  async write({ id, stream, type, version, data, metadata, at }) {
    try {
      // Half of what is generated is JSON without `meta`, or none at all.
      const meta = metadata.includes('"meta":') ? metaIn(metadata) : metadata;
      await inTransaction(pool, async (client) => {
        // He looks up what comes next, as one does; without the lock he would break the log itself.
        await client.query("select pg_advisory_xact_lock(hashtextextended('log_events', 0))");
        await client.query(INSERT, [id, stream, type, version, data, meta, at]);
      });
      return true;
    } catch (error) {
      if (!isDataError(error)) throw error;
      return false;
    }
  },
  close: async () => undefined,
});
