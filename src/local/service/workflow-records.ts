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
const MOST_KEPT = 2000;
/** A folder is looked through after so many writes. */
const LOOKED_THROUGH_AFTER = 50;

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

/** Loads the workflows whose messages may not have been sent; deletes half-written files of a crash. */
const readUnfinished = async (dir: string): Promise<StoredRecord[]> => {
  const unfinished: StoredRecord[] = [];
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    const stored = name.endsWith(SUFFIX) ? await read(file) : null;
    if (stored === null) await rm(file, { force: true });
    else if (stored.status !== 'told') unfinished.push(stored);
  }
  return unfinished;
};

/** Deletes the oldest workflows that have ended and are told, beyond `most_kept`: a repeated request finds the others. */
const forgetOldest = async (dir: string, most_kept: number): Promise<void> => {
  const names = (await readdir(dir)).filter((name) => name.endsWith(SUFFIX));
  if (names.length <= most_kept) return;
  const files = await Promise.all(
    names.map(async (name) => {
      const file = join(dir, name);
      return { file, at: (await stat(file).catch(() => null))?.mtimeMs ?? 0 };
    }),
  );
  for (const { file } of files.toSorted((a, b) => a.at - b.at).slice(0, files.length - most_kept)) {
    if ((await read(file))?.status === 'told') await rm(file, { force: true });
  }
};

/** Keeps one file a workflow in `dir`, of those that have ended the newest 2,000. */
export const openRecordFiles = async <Schema extends z.ZodType>(options: {
  dir: string;
  /** Stored with each record. */
  kind: string;
  request: Schema;
  log: Logger;
  most_kept?: number;
}): Promise<WorkflowRecords<z.output<Schema>>> => {
  const { dir, kind, request, log, most_kept = MOST_KEPT } = options;
  let written = 0;
  await mkdir(dir, { recursive: true });
  await forgetOldest(dir, most_kept);
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
    async write(record) {
      await writeAtomically(fileOf(record.id), JSON.stringify(toStored(record, kind)));
      written += 1;
      if (written % LOOKED_THROUGH_AFTER === 0) await forgetOldest(dir, most_kept);
    },
    unfinished: () => unfinished,
  };
};
