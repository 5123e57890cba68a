import { isReadyNode } from '../../events/capacity.ts';
import type { ClusterNode } from '../../events/values.ts';

/** As JSON. An append of EventStoreDB takes 1 MiB, and the facts about a cluster have more than its nodes. */
const MAX_BYTES = 800 * 1024;
/** Of each kind of joined nodes, with their longest texts. */
const RESERVED_BYTES = 48 * 1024;
const MAX_JOINED_DEVICES = 50;
const MAX_TEXT = 100;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value)) + 1;

const joinDevices = (nodes: readonly ClusterNode[]): ClusterNode['devices'] => {
  const joined = new Map<string, ClusterNode['devices'][number]>();
  for (const { type, name, available_count } of nodes.flatMap(({ devices }) => devices)) {
    const short = { type: type.slice(0, MAX_TEXT), name: name?.slice(0, MAX_TEXT) ?? null };
    const key = JSON.stringify(short);
    joined.set(key, { ...short, available_count: (joined.get(key)?.available_count ?? 0) + available_count });
  }
  return [...joined.values()].slice(0, MAX_JOINED_DEVICES);
};

const joinNodes = (status: 'Ready' | 'NotReady', nodes: readonly ClusterNode[]): ClusterNode[] => {
  if (nodes.length === 0) return [];
  const cpu_millis = nodes.reduce((total, { resources }) => total + resources.cpu_millis, 0);
  const memory_mib = nodes.reduce((total, { resources }) => total + resources.memory_mib, 0);
  const name = `${nodes.length} more nodes, ${status}`;
  return [{ name, status, resources: { cpu_millis, memory_mib }, devices: joinDevices(nodes) }];
};

/** As many as fit, in their order; the others are joined, so that capacity and devices stay complete. */
const joinRest = (nodes: readonly ClusterNode[]): ClusterNode[] => {
  let bytes = 2 * RESERVED_BYTES;
  const fit = nodes.findIndex((node) => {
    bytes += bytesOf(node);
    return bytes > MAX_BYTES;
  });
  const [kept, rest] = [nodes.slice(0, fit), nodes.slice(fit)];
  const notReady = rest.filter((node) => !isReadyNode(node));
  return [...kept, ...joinNodes('Ready', rest.filter(isReadyNode)), ...joinNodes('NotReady', notReady)];
};

/** All nodes, the first ones with their devices: what is free on each node counts for more. */
const withFewerDevices = (nodes: readonly ClusterNode[]): ClusterNode[] => {
  const bare = nodes.map((node) => ({ ...node, devices: [] }));
  let left = MAX_BYTES - bytesOf(bare);
  return nodes.map((node, index) => {
    left -= bytesOf(node.devices);
    return left >= 0 ? node : (bare[index] ?? node);
  });
};

/**
 * Nodes that fit into one append of any log, so that a cluster of thousands can be recorded: with less detail, and with
 * the same capacity.
 *
 *     all -> without the devices of the last ones -> the last ones joined
 */
export const fittingNodes = (nodes: readonly ClusterNode[]): ClusterNode[] => {
  if (bytesOf(nodes) <= MAX_BYTES) return [...nodes];
  const fewer = withFewerDevices(nodes);
  return bytesOf(fewer) <= MAX_BYTES ? fewer : joinRest(nodes);
};
