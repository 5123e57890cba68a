import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { StepFailed } from '../../service/step-failed.ts';
import type { Inspect, Inspection, ModelFacts } from '../engine.ts';
import { findIssues } from './find-issues.ts';
import type { OnnxFacts } from './onnx-facts.ts';
import { Reading, type ReadingTask } from './reading.ts';

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
      return inspectionOf(Reading.parse(JSON.parse(stdout)));
    } catch (error) {
      if (signal.aborted) throw error;
      throw new StepFailed('the model could not be read within the limits of time and memory, or broke its reader', {
        cause: error,
      });
    }
  };
};
