import type { Resources } from '../../events/values.ts';

export interface ReplicaOptions {
  model_file: string;
  model_name: string;
  /** Stands on the command line, so that a later life of the service recognises the process as its own. */
  marker: string;
  onLine: (line: string) => void;
}

/** One run of an inference server as a child process. */
export interface ReplicaProcess {
  pid: number | undefined;
  started_at: number;
  /** The port, once the model is loaded; rejects with the reason where that does not come about. */
  ready: Promise<number>;
  /** Why the process ended, as the rest of a sentence: `was ended by SIGKILL`. Never rejects. */
  exited: Promise<string>;
  /** SIGTERM, then SIGKILL; resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL, for a process that does not react. */
  kill(): void;
}

/** What a few real inference calls showed; or why none could be made. */
export type PerformanceCheck =
  | { measured: true; mean_latency_ms: number; inputs: string; calls: number }
  | { measured: false; reason: string };

/** What serves a model. The local cluster and the simulator know engines only by this. */
export interface Engine {
  /** Stable: kept with each deployment, and told as `engine_type`. */
  name: string;
  /** As a person reads it. */
  title: string;
  /** Does the engine take an artefact whose first byte is this? Undefined: the artefact is empty. */
  takes(first_byte: number | undefined): boolean;
  launch(options: ReplicaOptions): ReplicaProcess;
  /** Asks the replica at a local port. Never rejects. */
  isAlive(port: number, signal: AbortSignal): Promise<boolean>;
  isReady(port: number, signal: AbortSignal): Promise<boolean>;
  /** Calls the model through the deployment's public URL. Rejects only when `cancelled` is. */
  check(deployment: { url: string; model_name: string }, cancelled: AbortSignal): Promise<PerformanceCheck>;
  /** What may be called under the deployment's URL. */
  paths(model_name: string): string[];
  /** What one replica takes: thousandths of a core and MiB. */
  footprint(model_bytes: number): Resources;
}
