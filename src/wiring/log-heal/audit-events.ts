import type { Pool } from 'pg';
import { z } from 'zod';
import type { RecordedEvent } from '../../events/event.ts';
import { eventOfRow, WholeAuditRow } from '../../projections/audit-log.ts';
import { rowTypes } from '../../projections/engine/table.ts';

const PAGE = 500;
const COLUMNS = Object.keys(WholeAuditRow.shape)
  .map((column) => `a.${column}`)
  .join(', ');

/** A row of the audit does not hold its event whole: the release before wrote it. */
export class RowNotWhole extends Error {
  constructor({ position, stream, revision }: WholeAuditRow) {
    super(
      `the audit does not hold ${stream} ${revision} (at ${position}) whole: a release before wrote it, and the audit ` +
        'was not built anew before the log lost its end',
    );
    this.name = 'RowNotWhole';
  }
}

const readPage = async (client: Pick<Pool, 'query'>, positions: string, after: string): Promise<WholeAuditRow[]> => {
  const { rows } = await client.query({
    text: `select ${COLUMNS} from audit_log a join ${positions} p on p.position = a.position
      where a.position > $1 order by a.position limit ${PAGE}`,
    values: [after],
    types: rowTypes,
  });
  return z.array(WholeAuditRow).parse(rows);
};

/**
 * The rows of the audit at the positions in the table `positions` (column `position`), in the order of the log that the
 * audit knows.
 */
export async function* readAuditRows(
  client: Pick<Pool, 'query'>,
  positions: string,
): AsyncGenerator<WholeAuditRow, undefined> {
  let rows = await readPage(client, positions, '');
  while (rows.length > 0) {
    yield* rows;
    rows = await readPage(client, positions, rows.at(-1)?.position ?? '');
  }
}

/** As `readAuditRows`, the events of the rows. Throws `RowNotWhole`. */
export async function* readAuditEvents(
  client: Pick<Pool, 'query'>,
  positions: string,
): AsyncGenerator<RecordedEvent, undefined> {
  for await (const row of readAuditRows(client, positions)) {
    const event = eventOfRow(row);
    if (!event) throw new RowNotWhole(row);
    yield event;
  }
}
