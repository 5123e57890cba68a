import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Member } from './node.ts';
import { type NodeOptions, type RunningNode, runNode, urlOf } from './running-node.ts';
import { openStore, type StoreOptions } from './store/store.ts';

export interface ClusterOptions extends Omit<NodeOptions, 'port'>, StoreOptions {
  nodes: number;
}

export interface EventStoreCluster {
  /** Connection string with all nodes: the client asks them by gossip who leads. */
  url: string;
  nodes: readonly RunningNode[];
  /** Index of the leader; undefined while there is none. */
  leader(): number | undefined;
  /** From now on this node leads, or none. Nobody is elected unless a test says so, also when the leader stops. */
  elect(index: number | undefined): void;
  /**
   * The leader dies, nobody leads for a while, and then this node does. Resolves when it leads. The real one was without
   * a leader for 8 to 17 s, which is the default. `ahead`: the dead one had events that no other node got.
   */
  failOver(to: number, options?: { withoutLeaderMs?: number; ahead?: boolean }): Promise<void>;
  /**
   * A node that was stopped comes back. One that was ahead drops the events that the leader lacks and ends itself with code
   * 0: nothing listens until it is started once more, which is left to whoever supervises it.
   */
  rejoin(index: number): Promise<'serves' | { exit_code: 0 }>;
  /**
   * The leader changes in the middle of its next append, which ends with `not-leader`. `written`: the append had reached
   * the new leader, too, so it is in the log although it was not answered.
   */
  electDuringAppend(index: number, options: { written: boolean }): void;
  size(): number;
  loseTail(events: number): Promise<void>;
  close(): Promise<void>;
}

const SHORTEST_ELECTION_MS = 8_000;
const LONGEST_ELECTION_MS = 17_000;

/** Several doubles over one log: replication that is always done, with one node that leads. The first one to begin with. */
export const createEventStoreCluster = async ({
  nodes: count,
  ...options
}: ClusterOptions): Promise<EventStoreCluster> => {
  const store = await openStore(options);
  const ids = Array.from({ length: count }, () => randomUUID());
  const nodes: RunningNode[] = [];
  const ahead = new Set<number>();
  const closing = new AbortController();
  let leading: number | undefined = 0;

  const members = (): Member[] =>
    nodes.map(({ host, port, isRunning }, index) => {
      const state = leading === undefined ? 'unknown' : index === leading ? 'leader' : 'follower';
      return { host, port, id: ids[index] ?? '', state, alive: isRunning() };
    });
  for (const index of ids.keys())
    nodes.push(
      await runNode(store, options, () => ({
        members,
        isLeader: () => index === leading,
        leader: () => (leading === undefined ? undefined : nodes[leading]),
      })),
    );

  const dropConnections = (): void => {
    for (const node of nodes) node.dropConnections();
  };
  const elect = (index: number | undefined): void => {
    leading = index;
  };

  return {
    url: urlOf(nodes, options),
    nodes,
    leader: () => leading,
    elect,
    async failOver(to, options = {}) {
      const random = SHORTEST_ELECTION_MS + Math.random() * (LONGEST_ELECTION_MS - SHORTEST_ELECTION_MS);
      const { withoutLeaderMs = random } = options;
      const before = leading;
      elect(undefined);
      if (before !== undefined) {
        await nodes[before]?.stop();
        if (options.ahead === true) ahead.add(before);
      }
      await delay(withoutLeaderMs, undefined, { signal: closing.signal });
      elect(to);
    },
    async rejoin(index) {
      if (ahead.delete(index)) return { exit_code: 0 };
      await nodes[index]?.start();
      return 'serves';
    },
    electDuringAppend(index, { written }) {
      const leader = nodes[leading ?? -1];
      leader?.faults.inject('append', 'not-leader', { times: 1, written, meanwhile: () => elect(index) });
    },
    size: store.log.visible,
    async loseTail(events) {
      await store.loseTail(events);
      dropConnections();
    },
    async close() {
      closing.abort();
      await Promise.all(nodes.map((node) => node.close()));
      await store.close();
    },
  };
};
