/**
 * A test double of EventStoreDB: a gRPC server that speaks its protocol (`Streams`, `Gossip`, `ServerFeatures`) well enough
 * for the unmodified client, and that can be told what shall go wrong. It is no event store and says so in its version: it
 * serves BudApp's tests only.
 *
 * Where versions of the real server differ, it behaves as 24 does. Known of a real 24.6.0 and played: what it answers to each
 * call (`../systems/answers`), which repeats it recognises, that positions are byte offsets and are given again after a
 * truncation, that `$all` holds events of the system, when subscriptions get checkpoints and fall behind. README.md lists
 * what is guessed, each with the test that pins it, and what is not played.
 * Stricter than the real one by default: a follower refuses every write (`forwardsWrites`).
 */
import { randomUUID } from 'node:crypto';
import { type NodeOptions, type RunningNode, runNode } from './running-node.ts';
import { type Backup, openStore, type StoreOptions } from './store/store.ts';

export interface DoubleOptions extends NodeOptions, StoreOptions {}

export interface EventStoreDouble extends RunningNode {
  /** How many events there are, those of the system included. */
  size(): number;
  /** The newest events vanish, as after a failover to a node that never got them; connections are cut. */
  loseTail(events: number): Promise<void>;
  /** Copies the data of the node, which goes on meanwhile. */
  backup(): Promise<Backup>;
  /**
   * Comes back on the same port. `lose`: with an empty log. A backup: with this copy of its data, so that the log goes on
   * from there, and its new events may lie where lost ones lay.
   */
  start(log?: 'keep' | 'lose' | Backup): Promise<void>;
}

/** A single node, which leads always. */
export const createEventStoreDouble = async (options: DoubleOptions = {}): Promise<EventStoreDouble> => {
  const store = await openStore(options);
  const id = randomUUID();
  const node = await runNode(store, options, (endpoint) => ({
    members: () => [{ ...endpoint, id, state: 'leader', alive: true }],
    isLeader: () => true,
    leader: () => endpoint,
  }));

  return {
    ...node,
    size: store.log.visible,
    async loseTail(events) {
      await store.loseTail(events);
      node.dropConnections();
    },
    backup: store.backup,
    async start(log = 'keep') {
      await node.stop();
      await store.restart(log);
      await node.start();
    },
    async close() {
      await node.close();
      await store.close();
    },
  };
};
