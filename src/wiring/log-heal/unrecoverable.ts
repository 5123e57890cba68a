import type { ClientBase } from 'pg';
import { readModelCatalog } from '../../projections/catalog.ts';

/** What was read of the log and is in neither the log nor the audit: it was accepted a moment before the log lost its end. */
export interface Unrecoverable {
  /** Streams of which a read model shows, or a process knew, more than there is. */
  streams: readonly string[];
  /** Process instances that have taken in more than there is, `<process> <id>`. */
  instances: readonly string[];
  /** Checkpoints beyond the last event that there is. */
  checkpoints: readonly string[];
}

/** Positions that neither the audit nor the log knows. Where the log lost events, another one may stand at the position. */
const isUnknown = (anyLost: boolean): string => `
  t.position > coalesce((select max(position) from audit_log), '')
  and (${anyLost} or not exists (select from log_now l where l.position = t.position))`;

/** What a process had read or appended itself, and then did not find any more. */
const MISSED = `
  select t.stream from log_anchors t
  where not exists (select from audit_now a where a.event_id = t.event_id)
    and not exists (select from log_now l where l.id = t.event_id)`;

const find = async (client: ClientBase, statement: string): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(`${statement} order by 1`);
  return rows.map(({ name }) => name);
};

/** `anyLost`: the log does not have all that the audit has. Over the tables of `compare-audit.ts`. */
export const findUnrecoverable = async (client: ClientBase, anyLost: boolean): Promise<Unrecoverable> => {
  const unknown = isUnknown(anyLost);
  const rows = readModelCatalog.flatMap(({ name, streamPrefix }) =>
    streamPrefix === null ? [] : [`select '${streamPrefix}' || t.id as name from ${name} t where ${unknown}`],
  );
  return {
    streams: await find(client, `select name from (${[...rows, MISSED].join(' union ')}) as stream`),
    instances: await find(
      client,
      `select t.process || ' ' || t.instance_id as name from process_instances t where ${unknown}`,
    ),
    checkpoints: await find(
      client,
      `select t.name from (select name, position from projections union all select reader, position from process_checkpoints)
         as t where ${unknown} and t.position > (select position from projections where name = 'audit_log')`,
    ),
  };
};
