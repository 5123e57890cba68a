import { expect } from 'chai';
import { NameKind } from '../../src/events/name-events.ts';
import { readModelCatalog } from '../../src/projections/catalog.ts';
import { openPool } from '../pool.ts';
import { testDatabase } from '../postgres.ts';

describe('the catalog of read models', () => {
  it('has one that knows the keys of the names, for each kind of unique names', () => {
    const kinds = readModelCatalog.flatMap(({ name_kind }) => name_kind ?? []);
    expect(kinds.sort()).to.deep.equal([...NameKind.options].sort());
  });

  // A table that is not there stops every read model, since they share their transactions.
  it('has a table for each, with a column for each field', async () => {
    const database = await testDatabase();
    const { pool, close } = openPool(database.connection_string, 1);
    try {
      const { rows } = await pool.query<{ table_name: string; columns: string[] }>(
        `select table_name, array_agg(column_name::text order by column_name collate "C") as columns
         from information_schema.columns where table_schema = 'public' group by table_name`,
      );
      const columnsOf = new Map(rows.map(({ table_name, columns }) => [table_name, columns]));
      for (const { name, columns } of readModelCatalog) {
        expect(columnsOf.get(name), `the columns of the table ${name}`).to.deep.equal([...columns].sort());
      }
    } finally {
      await close();
      await database.close();
    }
  });
});
