import { type Access, type Credentials, createAccess, type User } from './access.ts';
import { createFaults, type Faults } from './faults.ts';
import { HOST, listen, type Tls } from './listener.ts';
import type { Endpoint, Member, Node } from './node.ts';
import type { Store } from './store/store.ts';

export interface NodeOptions {
  /** 0 or left out: a free one. */
  port?: number;
  /** Who may use the streams; the client sends them over TLS only. Everybody where it is left out. */
  credentials?: Credentials;
  /** Others who may, beside the one in the connection string. */
  users?: readonly User[];
  tls?: Tls;
  /** The real server's default is 1 MiB. */
  maxAppendBytes?: number;
  /** false: as before 21.10, the client then uses `Append`. */
  batchAppend?: boolean;
  /** true: a follower hands writes on to the leader unless they say `requires-leader`, as the real one does. */
  forwardsWrites?: boolean;
}

/** Where a node stands among the others. */
export interface Membership {
  members(): Member[];
  isLeader(): boolean;
  leader(): Endpoint | undefined;
}

/** A node that serves; the store behind it belongs to whoever made it. */
export interface RunningNode extends Endpoint {
  /** Connection string of this node alone, as `EVENTSTORE_URL` takes it. */
  url: string;
  faults: Faults;
  /** Changes users, their passwords and rights while it runs. */
  setUsers: Access['setUsers'];
  isRunning(): boolean;
  /** Cuts all connections. */
  dropConnections(): void;
  /** All running subscriptions end plainly: without an error, as after an orderly shutdown. */
  endSubscriptions(): void;
  /** Leaves the port; connections are cut. */
  stop(): Promise<void>;
  /** Comes back on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The connection string of one node or, over gossip, of several. */
export const urlOf = (endpoints: readonly Endpoint[], { credentials, tls }: NodeOptions): string => {
  const user = credentials && [credentials.username, credentials.password].map(encodeURIComponent).join(':');
  const hosts = endpoints.map(({ host, port }) => `${host}:${port}`).join(',');
  return `esdb://${user === undefined ? '' : `${user}@`}${hosts}?tls=${tls !== undefined}`;
};

/** `membership` gets the endpoint, which is known only once the port is taken. */
export const runNode = async (
  store: Store,
  options: NodeOptions,
  membership: (endpoint: Endpoint) => Membership,
): Promise<RunningNode> => {
  const faults = createFaults();
  const { credentials, users = [] } = options;
  const access = createAccess([...(credentials === undefined ? [] : [credentials]), ...users]);
  const subscriptions = new Set<() => void>();
  let role: Membership | undefined;

  const node: Node = {
    store,
    faults,
    subscriptions,
    access,
    maxAppendBytes: options.maxAppendBytes ?? 1024 * 1024,
    batchAppend: options.batchAppend ?? true,
    forwardsWrites: options.forwardsWrites ?? false,
    members: () => role?.members() ?? [],
    isLeader: () => role?.isLeader() ?? false,
    leader: () => role?.leader(),
    drop: (peer) => listener.drop(peer),
  };
  const listener = await listen(node, options.port ?? 0, options.tls);
  const endpoint = { host: HOST, port: listener.port };
  role = membership(endpoint);

  return {
    ...endpoint,
    url: urlOf([endpoint], options),
    faults,
    setUsers: access.setUsers,
    isRunning: listener.isOpen,
    dropConnections: () => listener.drop(),
    endSubscriptions() {
      for (const end of [...subscriptions]) end();
    },
    stop: listener.close,
    start: listener.open,
    async close() {
      faults.clear();
      await listener.destroy();
    },
  };
};
