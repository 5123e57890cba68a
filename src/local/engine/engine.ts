import type { ModelInfo } from '../../contracts/budmodel.ts';
import type { Resources } from '../../events/values.ts';

/** What is known of an artefact before an engine reads it. */
export interface ArtefactBeginning {
  /** The file's name, without its folder. */
  name: string;
  size_bytes: number;
  /** At most `BEGINNING_BYTES`; fewer only where the artefact has no more. */
  first_bytes: Uint8Array;
}

/** How much of an artefact an engine sees before it says whether it takes it. */
export const BEGINNING_BYTES = 64;

/** Something suspicious about an artefact. */
export interface Issue {
  severity: 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW';
  title: string;
  description: string;
}

/** What an artefact says of itself; null where it says nothing. */
export interface ModelFacts {
  author: string | null;
  description: string | null;
  license: string | null;
  architecture: NonNullable<ModelInfo['architecture']>;
}

/** What reading an artefact came to: the facts, or why it is refused (a sentence for the user). */
export type Inspection =
  | {
      accepted: true;
      facts: ModelFacts;
      issues: readonly Issue[];
      file_size_bytes: number;
      /** Lower-case hex. */
      sha256: string;
    }
  | { accepted: false; reason: string };

/**
 * Reads the artefact at `path`, which may be hostile. `open`: also make sure that it can be served. Throws `StepFailed`
 * where it cannot be read within the engine's limits.
 */
export type Inspect = (path: string, options: { open: boolean; signal: AbortSignal }) => Promise<Inspection>;

export interface ReplicaOptions {
  model_file: string;
  model_name: string;
  /** Stands as `--marker` on the command line, with our process id as `--parent`: a later life ends what this one left. */
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

/**
 * What a few real inference calls showed; or why none could be made. `inputs` is what was sent (`zeros for x [1]`),
 * `reason` a sentence.
 */
export type PerformanceCheck =
  | { measured: true; mean_latency_ms: number; inputs: string; calls: number }
  | { measured: false; reason: string };

/** The kind of artefact that an engine serves. */
export interface ArtefactKind {
  /** Stable: told as the model's format. */
  format: string;
  /** As in `ONNX artefacts`. */
  title: string;
  /** As in `not an ONNX model`. */
  one: string;
  /** Name of the cluster's own copy; stable, as deployments in flight find their copy by it. */
  file_name: string;
  /** Is this one? */
  matches(beginning: ArtefactBeginning): boolean;
  inspect: Inspect;
}

/** What serves a model. The local services know engines only by this. */
export interface Engine {
  /** Stable: kept with each deployment, and told as `engine_type`. */
  name: string;
  artefact: ArtefactKind;
  launch(options: ReplicaOptions): ReplicaProcess;
  /** Asks the replica at a local port. Never rejects. */
  isAlive(port: number, signal: AbortSignal): Promise<boolean>;
  isReady(port: number, signal: AbortSignal): Promise<boolean>;
  /** Calls the model through the deployment's public URL. Rejects only when `cancelled` is. */
  check(deployment: { url: string; model_name: string }, cancelled: AbortSignal): Promise<PerformanceCheck>;
  /** Does a request for this path under the deployment's URL go to a replica, at the same path? */
  serves(path: string): boolean;
  /** The paths that a caller of the model needs; each is one that it `serves`. */
  paths(model_name: string): string[];
  /** What one replica takes: thousandths of a core and MiB. */
  footprint(model_bytes: number): Resources;
}
