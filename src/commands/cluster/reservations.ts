import type { Holding } from '../../events/capacity.ts';
import type { EndpointId } from '../../events/ids.ts';

/**
 * What each endpoint has reserved, in buckets by the end of its id, which is random: a change copies one bucket and the
 * list of at most 256, not the entries of thousands of endpoints.
 */
export type Reservations = Readonly<Record<string, Readonly<Record<EndpointId, Holding>>>>;

export const NO_RESERVATIONS: Reservations = {};

const bucketOf = (id: EndpointId): string => id.slice(-2);

export const findReservation = (reservations: Reservations, id: EndpointId): Holding | null =>
  reservations[bucketOf(id)]?.[id] ?? null;

export const withReservation = (reservations: Reservations, id: EndpointId, holding: Holding): Reservations => {
  const bucket = bucketOf(id);
  return { ...reservations, [bucket]: { ...reservations[bucket], [id]: holding } };
};

export const withoutReservation = (reservations: Reservations, id: EndpointId): Reservations => {
  const { [bucketOf(id)]: bucket = {}, ...others } = reservations;
  const { [id]: _released, ...left } = bucket;
  return Object.keys(left).length === 0 ? others : { ...others, [bucketOf(id)]: left };
};

/** All of them, by endpoint. */
export const listReservations = (reservations: Reservations): Record<EndpointId, Holding> =>
  Object.assign({}, ...Object.values(reservations));
