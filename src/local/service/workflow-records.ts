import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Notification } from '../../contracts/notification.ts';
import { writeAtomically } from '../../resilience/atomic-file.ts';

const SUFFIX = '.workflow.json';
const KEPT_FOR_MS = 7 * 86_400_000;

/**
 * One asynchronous request and how it went: running -> ended -> told. `closing` are the messages that end it; only a
 * record that is `told` is sure to have sent them.
 */
export const WorkflowRecord = z.object({
  id: z.string(),
  kind: z.string(),
  request: z.unknown(),
  status: z.enum(['running', 'ended', 'told']),
  result: z.unknown().optional(),
  closing: z.array(Notification),
});
export type WorkflowRecord = z.infer<typeof WorkflowRecord>;

export interface WorkflowRecords {
  find(id: string): Promise<WorkflowRecord | null>;
  write(record: WorkflowRecord): Promise<void>;
  /** Those that a stop or a crash interrupted before this start, in no particular order. */
  interrupted: readonly WorkflowRecord[];
}

const read = async (file: string): Promise<WorkflowRecord | null> => {
  try {
    return WorkflowRecord.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
};

/** Keeps one file a workflow in `dir`. Files that a crash left half-written and old ones after a week are cleared here. */
export const openWorkflowRecords = async (dir: string): Promise<WorkflowRecords> => {
  await mkdir(dir, { recursive: true });
  const fileOf = (id: string): string => join(dir, `${id}${SUFFIX}`);
  const interrupted: WorkflowRecord[] = [];
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    const record = name.endsWith(SUFFIX) ? await read(file) : null;
    if (record !== null && record.status !== 'told') interrupted.push(record);
    else if (record === null || (await stat(file)).mtimeMs < Date.now() - KEPT_FOR_MS) await rm(file, { force: true });
  }
  return {
    find: (id) => read(fileOf(id)),
    write: (record) => writeAtomically(fileOf(record.id), JSON.stringify(record)),
    interrupted,
  };
};
