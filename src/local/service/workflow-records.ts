import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Notification } from '../../contracts/notification.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { writeAtomically } from '../../resilience/atomic-file.ts';

/** `closing` are the messages that end a workflow; they have certainly been sent only where it is `told`. */
interface Ended {
  status: 'ended';
  outcome: 'succeeded' | 'failed' | 'cancelled';
  closing: readonly Notification[];
  told: boolean;
}

/** One asynchronous request and how it went: running -> ended -> ended and told. */
export type WorkflowRecord<Input> = { id: string; input: Input } & ({ status: 'running' } | Ended);
export type EndedRecord<Input> = Extract<WorkflowRecord<Input>, { status: 'ended' }>;

/** Stores workflows, so that they can be resumed after a crash. */
export interface WorkflowRecords<Input> {
  find(id: string): Promise<WorkflowRecord<Input> | null>;
  write(record: WorkflowRecord<Input>): Promise<void>;
  /** The workflows that a stop or a crash interrupted before this start. */
  unfinished(): readonly WorkflowRecord<Input>[];
}

/** The `results` message among those that end a workflow. */
export const resultsOf = (closing: readonly Notification[]) =>
  closing.find(({ payload }) => payload?.event === 'results')?.payload?.content;

const SUFFIX = '.workflow.json';
const KEPT_FOR_MS = 7 * 86_400_000;

/** A record as its file has it. */
const StoredRecord = z.object({
  id: z.string(),
  kind: z.string(),
  request: z.unknown(),
  status: z.enum(['running', 'ended', 'told']),
  result: z.unknown().optional(),
  closing: z.array(Notification),
});
type StoredRecord = z.infer<typeof StoredRecord>;

const toStored = <Input>(record: WorkflowRecord<Input>, kind: string): StoredRecord => {
  const { id, input: request } = record;
  if (record.status === 'running') return { id, kind, request, status: 'running', closing: [] };
  const closing = [...record.closing];
  return { id, kind, request, status: record.told ? 'told' : 'ended', result: resultsOf(closing)?.result, closing };
};

const fromStored = <Input>({ id, status, closing }: StoredRecord, input: Input): WorkflowRecord<Input> => {
  if (status === 'running') return { id, input, status };
  const results = resultsOf(closing)?.status;
  // Workflows that are stored in files cannot be cancelled.
  const outcome = results === 'COMPLETED' ? 'succeeded' : 'failed';
  return { id, input, status: 'ended', outcome, closing, told: status === 'told' };
};

const read = async (file: string): Promise<StoredRecord | null> => {
  try {
    return StoredRecord.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
};

/**
 * Loads the workflows whose messages may not have been sent; deletes half-written files of a crash, and old ones after
 * a week.
 */
const readUnfinished = async (dir: string): Promise<StoredRecord[]> => {
  const unfinished: StoredRecord[] = [];
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    const stored = name.endsWith(SUFFIX) ? await read(file) : null;
    if (stored !== null && stored.status !== 'told') unfinished.push(stored);
    else if (stored === null || (await stat(file)).mtimeMs < Date.now() - KEPT_FOR_MS) await rm(file, { force: true });
  }
  return unfinished;
};

/** Keeps one file a workflow in `dir`. */
export const openRecordFiles = async <Schema extends z.ZodType>(options: {
  dir: string;
  /** Stored with each record. */
  kind: string;
  request: Schema;
  log: Logger;
}): Promise<WorkflowRecords<z.output<Schema>>> => {
  const { dir, kind, request, log } = options;
  await mkdir(dir, { recursive: true });
  const fileOf = (id: string): string => join(dir, `${id}${SUFFIX}`);
  const stored = await readUnfinished(dir);
  const unfinished = stored.flatMap((each) => {
    const input = request.safeParse(each.request);
    if (input.success) return [fromStored(each, input.data)];
    log.error({ err: input.error, file: fileOf(each.id) }, 'a stored workflow cannot be read; it is left as it is');
    return [];
  });
  return {
    async find(id) {
      const found = await read(fileOf(id));
      return found && fromStored(found, request.parse(found.request));
    },
    write: (record) => writeAtomically(fileOf(record.id), JSON.stringify(toStored(record, kind))),
    unfinished: () => unfinished,
  };
};
