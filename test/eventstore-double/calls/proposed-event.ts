import type streams from '@eventstore/db-client/generated/streams_pb.js';
import { type ProposedEvent, uuidText } from '../store/stored-event.ts';

type Message = streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage;

/** The first property that the server needs and the message has not. */
export const missingProperty = (message: Message): string | undefined =>
  ['type', 'content-type'].find((property) => !message.getMetadataMap().has(property));

export const proposedEvent = (message: Message): ProposedEvent => ({
  id: uuidText(message.getId()),
  type: message.getMetadataMap().get('type') ?? '',
  contentType: message.getMetadataMap().get('content-type') ?? '',
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
});

/** What counts towards the limit of an append: the data only. */
export const sizeOf = ({ data }: ProposedEvent): number => data.length;
