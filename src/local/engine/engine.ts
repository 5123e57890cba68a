import type { ModelInfo } from '../../contracts/budmodel.ts';
import type { Resources } from '../../events/values.ts';

/** The facts about an artefact that are known before an engine reads it. */
export interface ArtefactBeginning {
  /** The file's name, without its folder. */
  name: string;
  size_bytes: number;
  /** At most `BEGINNING_BYTES`; fewer only where the artefact has no more. */
  first_bytes: Uint8Array;
}

/** How many bytes of an artefact an engine gets to decide whether it accepts it. */
export const BEGINNING_BYTES = 64;

/** Something suspicious about an artefact. */
export interface Issue {
  severity: 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW';
  title: string;
  description: string;
}

/** The metadata of an artefact; null where it is not stated. */
export interface ModelFacts {
  author: string | null;
  description: string | null;
  license: string | null;
  architecture: NonNullable<ModelInfo['architecture']>;
}

/** The result of reading an artefact: the facts, or why it is refused (a sentence for the user). */
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
  /**
   * Passed as `--marker` on the command line, with this process's id as `--parent`, so that a later run can end
   * processes that this one has left.
   */
  marker: string;
  onLine: (line: string) => void;
}

/** One run of an inference server as a child process. */
export interface ReplicaProcess {
  pid: number | undefined;
  started_at: number;
  /** Resolves with the port once the model is loaded; rejects with the reason where loading fails. */
  ready: Promise<number>;
  /** Why the process ended, as the rest of a sentence: `was ended by SIGKILL`. Never rejects. */
  exited: Promise<string>;
  /** Sends SIGTERM, then SIGKILL. Resolves when the process has ended. */
  stop(): Promise<void>;
  /** SIGKILL, for a process that does not react. */
  kill(): void;
}

/**
 * The result of a few real inference calls, or why none could be made. `inputs` describes what was sent (`zeros for x
 * [1]`), `reason` is a sentence.
 */
export type PerformanceCheck =
  | { measured: true; mean_latency_ms: number; inputs: string; calls: number }
  | { measured: false; reason: string };

export interface CheckedDeployment {
  url: string;
  model_name: string;
  headers: Readonly<Record<string, string>>;
}

/** The kind of artefact that an engine serves. */
export interface ArtefactKind {
  /** Stable: reported as the model's format. */
  format: string;
  /** As in `ONNX artefacts`. */
  title: string;
  /** As in `not an ONNX model`. */
  one: string;
  /** Name of the cluster's own copy; stable, as deployments in flight find their copy by it. */
  file_name: string;
  /** Whether the artefact is of this kind. */
  matches(beginning: ArtefactBeginning): boolean;
  inspect: Inspect;
}

/** The software that serves a model. The local services use engines only through this interface. */
export interface Engine {
  /** Stable: stored with each deployment, and reported as `engine_type`. */
  name: string;
  artefact: ArtefactKind;
  launch(options: ReplicaOptions): ReplicaProcess;
  /** Asks the replica at a local port; it must be able to answer while it computes. Never rejects. */
  isAlive(port: number, signal: AbortSignal): Promise<boolean>;
  isReady(port: number, signal: AbortSignal): Promise<boolean>;
  /**
   * Calls the model through the deployment's public URL, with these headers, by which the requests are not counted as a
   * caller's. Rejects only when `cancelled` is.
   */
  check(deployment: CheckedDeployment, cancelled: AbortSignal): Promise<PerformanceCheck>;
  /** Whether a request for this path under the deployment's URL is forwarded to a replica, at the same path. */
  serves(path: string): boolean;
  /** Whether such a request is for the model itself. Others, as for its metadata or health, are not counted. */
  infers(method: string, path: string): boolean;
  /** Headers of requests and answers that are passed on beside the content type and length, in lower case. */
  headers: readonly string[];
  /** The paths that a caller of the model needs; each is one that it `serves`. */
  paths(model_name: string): string[];
  /** The footprint of one replica: thousandths of a core and MiB. */
  footprint(model_bytes: number): Resources;
}
