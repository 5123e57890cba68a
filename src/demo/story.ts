import type { Client } from './client.ts';
import type { LiveStream } from './live-stream.ts';

/** The values that the steps of the demo pass on. */
export interface Story {
  client: Client;
  stream: LiveStream;
  /** A suffix that makes the names of this run unique. */
  run: string;
  project: { id: string; name: string };
  model: ModelView;
  cluster: ClusterView;
  endpoint: EndpointView;
  /** Position and endpoint as the read model returned them right after the first inference. */
  remembered: { position: string; endpoint: EndpointView };
  replicaPids: readonly number[];
  timings: { name: string; ms: number }[];
}

export interface ModelView {
  id: string;
  name: string;
  status: string;
  reason: { code: string; message: string } | null;
  metadata: {
    num_params: number | null;
    producer: string | null;
    opset: Record<string, number>;
    inputs: { name: string; datatype: string; shape: number[] }[];
    outputs: { name: string; datatype: string; shape: number[] }[];
  } | null;
  workflow_id?: string;
}

export interface ClusterView {
  id: string;
  name: string;
  status: string;
  reason: { code: string; message: string } | null;
  nodes: { name: string; resources: { cpu_millis: number; memory_mib: number } }[];
  workflow_id?: string;
}

export interface EndpointView {
  id: string;
  name: string;
  status: string;
  reason: { code: string; message: string } | null;
  url: string | null;
  revision: number;
  position: string;
  observed: { replicas: { total: number; available: number } } | null;
  placement: { reasons: string[] } | null;
  rollout: { workflow_id: string; status: string };
  workflow_id?: string;
}

/** Writes one line below the running step. */
export type Say = (line: string) => void;

const BAR_WIDTH = 20;

/** `[##########----------] 5/10` */
export const progressBar = (done: number, total: number): string => {
  const filled = total === 0 ? 0 : Math.round((done / total) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] ${done}/${total}`;
};
