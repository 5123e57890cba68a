import type { Position } from '../../events/event.ts';
import type { Log, Standing } from '../../ports/log.ts';
import type { Anchor } from '../../ports/log-fence.ts';

/** The anchors that a log does not have, and what is there instead of the newest of them. */
export interface Difference {
  missing: readonly Anchor[];
  newest: Anchor;
  standing: Standing;
}

export interface Compared {
  anchor: Anchor;
  standing: Standing;
}

const isAnother = ({ anchor, standing }: Compared): boolean => {
  if (typeof standing === 'object') return anchor.event_id !== null && standing.id !== anchor.event_id;
  return standing === 'inside-another' || standing === 'beyond-end';
};

const isSame = ({ anchor, standing }: Compared): boolean =>
  typeof standing === 'object' && anchor.event_id !== null && standing.id === anchor.event_id;

const isGone = ({ anchor, standing }: Compared): boolean => standing === 'none' && anchor.event_id !== null;

/**
 * Null where the log has the history that the anchors are of. An event that is not there while others are was removed
 * by the log's own maintenance (a scavenge); where none is there, nothing shows that it is the same history.
 */
export const differenceIn = (compared: readonly Compared[]): Difference | null => {
  const others = compared.filter(isAnother);
  const missing = others.length > 0 || compared.some(isSame) ? others : compared.filter(isGone);
  const [newest] = missing.toSorted((a, b) => (a.anchor.position < b.anchor.position ? 1 : -1));
  if (!newest) return null;
  return { missing: missing.map(({ anchor }) => anchor), newest: newest.anchor, standing: newest.standing };
};

/** Asks the log what stands at each anchor. */
export const compareWithLog = async (
  anchors: readonly Anchor[],
  log: Pick<Log, 'eventAt'>,
): Promise<Difference | null> => {
  const standings = new Map<Position, Promise<Standing>>();
  const standingAt = (position: Position): Promise<Standing> => {
    const known = standings.get(position) ?? log.eventAt(position);
    standings.set(position, known);
    return known;
  };
  return differenceIn(
    await Promise.all(anchors.map(async (anchor) => ({ anchor, standing: await standingAt(anchor.position) }))),
  );
};
