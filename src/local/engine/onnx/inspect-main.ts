import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { failureText } from '../../../failures/failure-text.ts';
import { startChildWatchdog } from '../../machine/child-watchdog.ts';
import { factsOf } from './onnx-facts.ts';
import { type OnnxFile, readOnnxFile } from './onnx-file.ts';
import { type Reading, ReadingTask } from './reading.ts';

const LONGEST_REASON = 400;

const refuse = (reason: string): Reading => ({ accepted: false, reason: reason.slice(0, LONGEST_REASON) });

const structureOf = (bytes: Uint8Array): OnnxFile | null => {
  try {
    return readOnnxFile(bytes);
  } catch {
    return null;
  }
};

/** Null where ONNX Runtime can serve it, else why not. */
const openingFails = async (path: string): Promise<string | null> => {
  const { InferenceSession } = await import('onnxruntime-node');
  try {
    const session = await InferenceSession.create(path, {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    await session.release();
    return null;
  } catch (error) {
    return failureText(error).replaceAll(path, basename(path));
  }
};

const read = async ({ path, open }: ReadingTask): Promise<Reading> => {
  const bytes = await readFile(path);
  const file = structureOf(bytes);
  if (file === null) return refuse('the file starts like an ONNX model but is cut short or damaged');
  const facts = factsOf(file);
  if (!Number.isSafeInteger(facts.num_params)) return refuse('the model claims impossible tensor sizes');
  if (open) {
    if (facts.external_files.length > 0) {
      return refuse(
        `the model keeps weights in other files (${facts.external_files.join(', ')}), which were not uploaded`,
      );
    }
    const failure = await openingFails(path);
    if (failure !== null) return refuse(`ONNX Runtime cannot open the model: ${failure}`);
  }
  return {
    accepted: true,
    facts,
    file_size_bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
};

const task = ReadingTask.parse(JSON.parse(process.argv[2] ?? ''));
await startChildWatchdog(task);
const reading = await read(task);
// Leaving at once also skips the native library's own clean-up, which has nothing left to save.
process.stdout.write(JSON.stringify(reading), () => process.exit(0));
