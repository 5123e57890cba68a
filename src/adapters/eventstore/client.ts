import { EventStoreDBClient, isCommandError } from '@eventstore/db-client';
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import pTimeout from 'p-timeout';

const { StreamsClient, StreamsService } = streamsService;

/** Only the leader has every confirmed event; another node names the leader, and the client then reconnects to it. */
export const LEADER = { requiresLeader: true } as const;

const CLOSE_WITHIN_MS = 500;

/** The settings of the client; `options` are common to all kinds of addresses. */
export interface ClientSettings {
  hosts: readonly { address: string; port: number }[];
  /** Whether to ask the hosts which node leads; false for a single node. */
  discover: boolean;
  options: {
    connectionName: string;
    maxDiscoverAttempts: number;
    /** The time-out in seconds. */
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

/** The answers to a read or a subscription: events, checkpoints and that it has caught up, in the server's order. */
export type Answers = ReturnType<InstanceType<typeof StreamsClient>['read']>;

/** The client, with access to members that a log needs and that the client declares protected. */
export class EventStoreClient extends EventStoreDBClient {
  supportsBatches(): Promise<boolean> {
    return this.supports(StreamsService.batchAppend);
  }

  async serverVersion(): Promise<string> {
    return (await this.capabilities).serverVersion;
  }

  /**
   * Opens a read or a subscription for `consume`, which reads it to its end or cancels it. The client's own reads tell
   * neither how large an event is nor where a checkpoint stands between the events; they take no filter, and after each
   * one that is cancelled the client opens a new connection.
   */
  async consume<T>(request: ReadReq, consume: (answers: Answers) => Promise<T>): Promise<T> {
    const outcome = await this.execute(StreamsClient, 'read', (client) => {
      const answers = client.read(request, ...this.callArguments(LEADER, { deadline: Number.POSITIVE_INFINITY }));
      return consume(answers).then(
        (value) => ({ value }),
        (error: unknown) => {
          // The client looks for another node then. What is not the server's error it cannot take.
          if (error instanceof Error && isCommandError(error)) throw error;
          return { error };
        },
      );
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Opens a bidirectional call for appends, with the connection string's user and password and without a deadline. */
  openBatches() {
    const open = this.GRPCStreamCreator(StreamsClient, 'batchAppend', (client) =>
      client.batchAppend(...this.callArguments(LEADER, { deadline: Number.POSITIVE_INFINITY })),
    );
    return open();
  }

  /** Ends all calls and closes the connection, which `dispose` alone would keep open for half an hour. */
  async close(): Promise<void> {
    const closing = this.dispose()
      .then(() => this.getChannel())
      .then((channel) => channel.close())
      .catch(() => undefined);
    // Waits for a bounded time: a call that was not read to its end, or a search for a node, would block it.
    await pTimeout(closing, { milliseconds: CLOSE_WITHIN_MS, message: false });
  }
}

export type BatchCall = Awaited<ReturnType<EventStoreClient['openBatches']>>;

export const openClient = ({ hosts, discover, options, channel, credentials }: ClientSettings): EventStoreClient => {
  const [first] = hosts;
  if (!first) throw new TypeError('an address without a host');
  // Passes all hosts, since the client would ask only the first one.
  if (hosts.length > 1) return new EventStoreClient({ ...options, endpoints: [...hosts] }, channel, credentials);
  if (discover) return new EventStoreClient({ ...options, discover: first }, channel, credentials);
  return new EventStoreClient({ ...options, endpoint: first }, channel, credentials);
};
