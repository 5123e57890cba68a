import pg, { type ClientBase, type QueryConfig } from 'pg';
import { toStorableJson } from '../../storable-text.ts';
import type { ReadModel, Row } from '../read-model.ts';

/** The table of a read model: the serving one, or the one that is being built. */
export interface Table {
  model: ReadModel;
  /** Its name, for example `endpoints` or `endpoints__v2`. */
  name: string;
}

export const servingTable = (model: ReadModel): Table => ({ model, name: model.name });
export const buildingTable = (model: ReadModel): Table => ({ model, name: `${model.name}__v${model.version}` });

const parseTimestamp = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);

/** Returns times as the reducers write them: RFC 3339 text in UTC with milliseconds. */
export const rowTypes: NonNullable<QueryConfig['types']> = {
  getTypeParser: (oid: number) => {
    switch (oid) {
      case pg.types.builtins.TIMESTAMPTZ:
        return (text: string) => parseTimestamp(text).toISOString();
      case pg.types.builtins.INT4:
      case pg.types.builtins.INT8:
      case pg.types.builtins.FLOAT8:
        return Number;
      case pg.types.builtins.BOOL:
        return (text: string) => text === 't';
      case pg.types.builtins.JSONB:
        return JSON.parse;
      default:
        return String;
    }
  },
};

const quoted = (column: string): string => `"${column}"`;

/** Loads the rows with these keys, by key. */
export const loadRows = async (
  client: ClientBase,
  { model, name }: Table,
  keys: readonly string[],
): Promise<Map<string, Row>> => {
  const { rows } = await client.query<Record<string, unknown>>({
    text: `select ${model.columns.map(quoted).join(', ')} from ${name} where "${model.key}" = any($1)`,
    values: [keys],
    types: rowTypes,
  });
  return new Map(rows.map((row) => [String(row[model.key]), row]));
};

/** Inserts or updates all rows with one statement. */
export const upsertRows = async (client: ClientBase, { model, name }: Table, rows: readonly Row[]): Promise<void> => {
  if (rows.length === 0) return;
  const columns = model.columns.map(quoted).join(', ');
  const excluded = model.columns.map((column) => `excluded.${quoted(column)}`).join(', ');
  await client.query({
    text: `insert into ${name} (${columns})
      select ${columns} from jsonb_populate_recordset(null::${name}, $1::jsonb)
      on conflict ("${model.key}") do update set (${columns}) = row(${excluded})`,
    values: [toStorableJson(rows)],
  });
};
