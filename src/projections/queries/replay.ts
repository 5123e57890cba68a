import { historyDamaged, unknownPosition } from '../../errors.ts';
import { type Fact, type Recorded, streamOf, toFact } from '../../events/catalog.ts';
import { ofOneForm, type Position, type RecordedEvent } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import { type Projection, reduce } from '../projection.ts';
import type { Stamped } from './row-schema.ts';

export interface ReplayOptions {
  id: string;
  /** The last event to include; default: the newest one. `time` is RFC 3339. */
  to?: { position: Position } | { time: string } | { revision: number };
}

const isAfter = (event: RecordedEvent, to: ReplayOptions['to']): boolean => {
  if (!to) return false;
  if ('position' in to) {
    if (!ofOneForm(to.position, event.position)) throw unknownPosition(to.position);
    return event.position > to.position;
  }
  if ('revision' in to) return event.revision > to.revision;
  return Date.parse(event.at) > Date.parse(to.time);
};

/**
 * Replays a row from the log alone; null where it did not exist yet. Throws `Rejected` `unknown-position` for a
 * position of another log.
 */
export const replay = async <Row extends object, F extends Fact>(
  projection: Projection<Row, F>,
  log: Pick<Log, 'readStream'>,
  { id, to }: ReplayOptions,
): Promise<Stamped<Row> | null> => {
  let row: Stamped<Row> | null = null;
  const stream = streamOf(projection.area, id);
  for await (const event of log.readStream(stream, { deleted: 'is-refused' })) {
    if (isAfter(event, to)) break;
    const fact = toFact(event);
    try {
      // `reduce` refuses facts of another area.
      row = reduce(projection, row, fact as Recorded<F>);
    } catch (error) {
      throw historyDamaged(
        stream,
        `${event.type} at revision ${event.revision} does not follow what is before it`,
        error,
      );
    }
  }
  return row;
};
