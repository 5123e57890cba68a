import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { StepFailed } from '../../../service/step-failed.ts';
import type { Inspect, Inspection, ModelFacts } from '../../engine.ts';
import { findIssues } from './find-issues.ts';
import type { OnnxFacts } from './onnx-facts.ts';
import { Reading, type ReadingTask, Trial } from './reading.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('./inspect-main.ts', import.meta.url));
const MIB = 1024 * 1024;
const LONGEST_REPORT = 4 * MIB;
/** The format's own limit: a protobuf message is at most 2 GiB. */
const LARGEST_FILE = 2048 * MIB - 1;

const modelFactsOf = (facts: OnnxFacts): ModelFacts => ({
  author: facts.metadata.author ?? null,
  description: facts.description,
  license: facts.metadata.license ?? null,
  architecture: {
    num_params: facts.num_params,
    inputs: facts.inputs,
    outputs: facts.outputs,
    opset: facts.opset,
    producer: facts.producer,
    ir_version: facts.ir_version,
    model_version: facts.model_version,
    graph_name: facts.graph_name,
    metadata: facts.metadata,
    operators: facts.operators,
  },
});

const inspectionOf = (reading: Reading): Inspection =>
  reading.accepted ? { ...reading, facts: modelFactsOf(reading.facts), issues: findIssues(reading.facts) } : reading;

/** What a killed process has said: its lines that are whole. */
const linesOf = (stdout: string): string[] => stdout.split('\n').slice(0, -1);

/** Node's error of a child process that was ended because of the time limit, with what it had said. */
const TimedOut = z.object({ killed: z.literal(true), code: z.null(), stdout: z.string() });

/** The reading of a process that ended by itself. Throws where what it said is not whole. */
const conclude = (stdout: string, { open }: ReadingTask): Inspection => {
  const [first = '', second] = linesOf(stdout);
  const reading = Reading.parse(JSON.parse(first));
  if (!reading.accepted || !open) return inspectionOf(reading);
  const { failure } = Trial.parse(JSON.parse(second ?? ''));
  return failure === null
    ? inspectionOf(reading)
    : { accepted: false, reason: `the model cannot be served: ${failure}` };
};

/** The reading of a process that ran out of time while it tried the model; null: it had not read it yet. */
const concludeLate = (error: unknown): Inspection | null => {
  const [first] = linesOf(TimedOut.safeParse(error).data?.stdout ?? '');
  return first === undefined ? null : inspectionOf(Reading.parse(JSON.parse(first)));
};

/**
 * Reads a model in a process of its own, so that a hostile file can harm nothing but that process. `timeout_ms` and
 * `base_memory_bytes` (plus four times the file) bound it.
 */
export const createInspector = ({ timeout_ms = 60_000, base_memory_bytes = 1024 * MIB } = {}): Inspect => {
  return async (path, { open, signal }) => {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) return { accepted: false, reason: 'an ONNX file is at most 2 GiB' };
    const task: ReadingTask = {
      path,
      open,
      parent_pid: process.pid,
      max_memory_bytes: base_memory_bytes + 4 * size,
    };
    try {
      const { stdout } = await run(process.execPath, ['--no-warnings', MAIN, JSON.stringify(task)], {
        timeout: timeout_ms,
        killSignal: 'SIGKILL',
        maxBuffer: LONGEST_REPORT,
        signal,
        // The environment is empty, so that a hostile file that runs code gets no secret.
        env: {},
      });
      return conclude(stdout, task);
    } catch (error) {
      if (signal.aborted) throw error;
      const late = concludeLate(error);
      if (late !== null) return late;
      throw new StepFailed(
        'the model could not be read and tried within the limits of time and memory, or broke its reader',
        {
          cause: error,
        },
      );
    }
  };
};
