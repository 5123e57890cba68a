import { EventStoreDBClient } from '@eventstore/db-client';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import pTimeout from 'p-timeout';

const { StreamsClient, StreamsService } = streamsService;

/** Only the leader has everything that was ever confirmed; another node says who leads, and the client then goes there. */
export const LEADER = { requiresLeader: true } as const;

const CLOSE_WITHIN_MS = 500;

/** How the client is to be made; what the three kinds of addresses have in common stands in `options`. */
export interface ClientSettings {
  hosts: readonly { address: string; port: number }[];
  /** Ask the hosts which node leads; false: there is but the one. */
  discover: boolean;
  options: {
    connectionName: string;
    maxDiscoverAttempts: number;
    /** Seconds. */
    gossipTimeout: number;
    discoveryInterval?: number;
    nodePreference?: 'leader' | 'follower' | 'random' | 'read_only_replica';
    keepAliveInterval?: number;
    keepAliveTimeout?: number;
    defaultDeadline?: number;
  };
  channel: { insecure: boolean; rootCertificate?: Buffer; userCertFile?: Buffer; userKeyFile?: Buffer };
  credentials: { username: string; password: string } | undefined;
}

/** The client, and the two things that a log needs of it and that it keeps to itself and its heirs. */
export class EventStoreClient extends EventStoreDBClient {
  supportsBatches(): Promise<boolean> {
    return this.supports(StreamsService.batchAppend);
  }

  /** Opens a two-way stream for appends, with the connection string's user and password; it stays open without limit. */
  openBatches() {
    const open = this.GRPCStreamCreator(StreamsClient, 'batchAppend', (client) =>
      client.batchAppend(...this.callArguments(LEADER, { deadline: Number.POSITIVE_INFINITY })),
    );
    return open();
  }

  /** Ends all that is under way and gives the connection back, which `dispose` alone keeps for half an hour. */
  async close(): Promise<void> {
    const closing = this.dispose()
      .then(() => this.getChannel())
      .then((channel) => channel.close())
      .catch(() => undefined);
    // A call that nobody has read to its end would hold it up; and where there is no channel, looking for a node to make one.
    await pTimeout(closing, { milliseconds: CLOSE_WITHIN_MS, message: false });
  }
}

export type BatchCall = Awaited<ReturnType<EventStoreClient['openBatches']>>;

export const openClient = ({ hosts, discover, options, channel, credentials }: ClientSettings): EventStoreClient => {
  const [first] = hosts;
  if (!first) throw new TypeError('an address without a host');
  // Several hosts are several places to ask; the client would ask but the first of them.
  if (hosts.length > 1) return new EventStoreClient({ ...options, endpoints: [...hosts] }, channel, credentials);
  if (discover) return new EventStoreClient({ ...options, discover: first }, channel, credentials);
  return new EventStoreClient({ ...options, endpoint: first }, channel, credentials);
};
