import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { eventOfRow, type WholeAuditRow } from '../../projections/audit-log.ts';

const syncFolder = async (folder: string): Promise<void> => {
  await using handle = await open(folder, 'r');
  await handle.sync();
};

/**
 * Writes events to a new file that only its owner can read, one JSON object a line, and returns how many. What the audit does
 * not hold whole is written as its row. When this
 * resolves, they are on disk. Throws `EEXIST` where there is such a file: no earlier one is ever overwritten.
 */
export const keepLostEvents = async (file: string, rows: AsyncIterable<WholeAuditRow>): Promise<number> => {
  let kept = 0;
  await using handle = await open(file, 'wx', 0o600);
  for await (const row of rows) {
    await handle.appendFile(`${JSON.stringify(eventOfRow(row) ?? row)}\n`);
    kept += 1;
  }
  await handle.sync();
  await syncFolder(dirname(file));
  return kept;
};
