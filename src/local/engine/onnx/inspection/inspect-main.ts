import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { failureText } from '../../../../failures/failure-text.ts';
import { startChildWatchdog } from '../../../machine/child-watchdog.ts';
import { loadModel, type ServedModel } from '../model.ts';
import { Unservable } from '../tensors/ports.ts';
import { factsOf } from './onnx-facts.ts';
import { type OnnxFile, readOnnxFile } from './onnx-file.ts';
import { type Reading, ReadingTask, type Trial } from './reading.ts';
import { tryModel } from './trial.ts';

const LONGEST_REASON = 400;

const refuse = (reason: string): Reading => ({ accepted: false, reason: reason.slice(0, LONGEST_REASON) });

const structureOf = (bytes: Uint8Array): OnnxFile | null => {
  try {
    return readOnnxFile(bytes);
  } catch {
    return null;
  }
};

/** The line is on its way when this resolves, so that it is not lost where the next step ends the process. */
const say = (message: Reading | Trial): Promise<void> =>
  new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()));

const read = async ({ path, open }: ReadingTask): Promise<Reading> => {
  const bytes = await readFile(path);
  const file = structureOf(bytes);
  if (file === null) return refuse('the file starts like an ONNX model but is cut short or damaged');
  const facts = factsOf(file);
  if (!Number.isSafeInteger(facts.num_params)) return refuse('the model claims impossible tensor sizes');
  if (open && facts.outputs.length === 0) return refuse('the model has no output');
  if (open && facts.external_files.length > 0) {
    return refuse(
      `the model keeps weights in other files (${facts.external_files.join(', ')}), which were not uploaded: save it as one file`,
    );
  }
  return {
    accepted: true,
    facts,
    file_size_bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
};

/** Loads the model as a replica does. */
const load = async (path: string): Promise<ServedModel | Reading> => {
  try {
    return await loadModel({ name: basename(path), path });
  } catch (error) {
    if (!(error instanceof Unservable)) throw error;
    return refuse(failureText(error));
  }
};

const inspect = async (task: ReadingTask): Promise<void> => {
  const reading = await read(task);
  if (!reading.accepted || !task.open) return say(reading);
  const model = await load(task.path);
  if ('accepted' in model) return say(model);
  await say(reading);
  await say({ failure: await tryModel(model, Object.keys(reading.facts.operators)) });
};

const task = ReadingTask.parse(JSON.parse(process.argv[2] ?? ''));
await startChildWatchdog(task);
await inspect(task);
// Leaving at once also skips the native library's own clean-up, which has nothing left to save.
process.exit(0);
