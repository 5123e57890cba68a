import type { Metadata } from '@grpc/grpc-js';
import type { Access, Right } from './access.ts';
import { notLeader, notReady, type RpcError } from './calls/rpc-errors.ts';
import type { Fault, Faults, FaultyCall } from './faults.ts';
import type { Outcome, Store, Write } from './store/store.ts';

export interface Endpoint {
  host: string;
  port: number;
}

export interface Member extends Endpoint {
  id: string;
  state: 'leader' | 'follower' | 'unknown';
  alive: boolean;
}

/** What the services of one node work with. */
export interface Node {
  store: Store;
  faults: Faults;
  access: Access;
  maxAppendBytes: number;
  batchAppend: boolean;
  /** false: a follower refuses every write. true: only those with `requires-leader`, and hands the others on. */
  forwardsWrites: boolean;
  members(): Member[];
  isLeader(): boolean;
  /** Undefined while there is none. */
  leader(): Endpoint | undefined;
  /** Cuts the connection that the call came on. */
  drop(peer: string): void;
  /** What `endSubscriptions` calls. */
  subscriptions: Set<() => void>;
}

export const requiresLeader = (metadata: Metadata): boolean =>
  metadata.get('requires-leader')[0]?.toString() === 'true';

/** The error with which a node that does not lead refuses. */
export const notLeading = (node: Node): RpcError => {
  const leader = node.leader();
  return leader === undefined ? notReady() : notLeader(leader);
};

/** How a call ends that a fault strikes; `none` where it does not end at all. */
export const strike = async (node: Node, fault: Fault, peer: string): Promise<RpcError | 'end' | 'none'> => {
  await fault.meanwhile?.();
  switch (fault.kind) {
    case 'mute':
      return 'none';
    case 'drop':
      node.drop(peer);
      return 'none';
    case 'end':
      return 'end';
    case 'not-leader':
      return notLeading(node);
    case 'not-ready':
      return notReady();
  }
};

interface Caller {
  metadata: Metadata;
  peer: string;
}

/** A call that is not a write goes on only where this answers `go-on`. */
export const admit = async (
  node: Node,
  { kind, right }: { kind: FaultyCall; right: Right },
  { metadata, peer }: Caller,
): Promise<RpcError | 'go-on' | 'end' | 'none'> => {
  const refused = node.access.refusal(metadata, right);
  if (refused !== null) return refused;
  if (requiresLeader(metadata) && !node.isLeader()) return notLeading(node);
  const fault = node.faults.take(kind);
  return fault === undefined ? 'go-on' : strike(node, fault, peer);
};

export type Answer = { outcome: Outcome } | { error: RpcError } | 'end' | 'none';

/** Carries a write out, as far as the faults let it. */
export const performWrite = async (node: Node, write: Write, { metadata, peer }: Caller): Promise<Answer> => {
  const leads = node.isLeader() || (node.forwardsWrites && node.leader() !== undefined && !requiresLeader(metadata));
  if (!leads) return { error: notLeading(node) };
  const fault = node.faults.take('append');
  const outcome = fault === undefined || fault.written ? await node.store.write(write) : undefined;
  if (fault !== undefined) {
    const struck = await strike(node, fault, peer);
    return typeof struck === 'string' ? struck : { error: struck };
  }
  await node.faults.pause();
  return outcome === undefined ? 'none' : { outcome };
};
