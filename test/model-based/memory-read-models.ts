import { isDeepStrictEqual } from 'node:util';
import type { RecordedEvent } from '../../src/events/event.ts';
import { readModelCatalog } from '../../src/projections/catalog.ts';
import { byStream, foldStreams } from '../../src/projections/engine/fold.ts';
import { concerns, type Row } from '../../src/projections/read-model.ts';

const rowModels = readModelCatalog.filter(({ changesRows }) => changesRows);

/** The rows of all read models, folded as the events come. */
export const createMemoryReadModels = () => {
  const tables = new Map(rowModels.map(({ name }) => [name, new Map<string, Row>()]));
  const tableOf = (name: string): Map<string, Row> => tables.get(name) ?? new Map();

  return {
    take(event: RecordedEvent): void {
      for (const model of rowModels) {
        if (!concerns(model, event)) continue;
        const table = tableOf(model.name);
        const row = model.next(table.get(model.keyOf(event)) ?? null, event);
        // The table keeps JSON.
        if (row) table.set(model.keyOf(event), JSON.parse(JSON.stringify(model.check(row))));
      }
    },
    rows: (name: string): Row[] => [...tableOf(name).values()],
    /** The tables whose rows are not those that a replay of the whole log makes. */
    differencesFrom(log: readonly RecordedEvent[]): string[] {
      return rowModels.flatMap((model) => {
        const { rows, failures } = foldStreams(model, new Map(), byStream(model, log));
        if (failures.length > 0) return [`${model.name}: a replay fails`];
        const replayed = new Map(rows.map((row) => [String(row[model.key]), JSON.parse(JSON.stringify(row))]));
        return isDeepStrictEqual(replayed, tableOf(model.name)) ? [] : [`${model.name}: a replay makes other rows`];
      });
    },
  };
};
