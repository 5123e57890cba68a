import { Rejected, rejected, WrongExpectedRevision } from '../../errors.ts';
import { definitionOf, type NameFact, type Recorded, streamOf, toFact } from '../../events/catalog.ts';
import type { Meta, NewEvent } from '../../events/event.ts';
import { EventId, eventIdOf, newId, type TenantId } from '../../events/ids.ts';
import { nameStreams, type ReservedKind } from '../../events/name-events.ts';
import { nameKey } from '../../events/name-key.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Aggregate, NameClaim } from '../command.ts';
import type { Loader } from './load.ts';

/**
 * The time that a holder has from the reservation to its own append: half of the time after which another one may take
 * over.
 */
const HOLDER_MS = 30_000;
const TAKE_OVER_MS = 60_000;

interface NamesOptions {
  log: Log;
  loader: Loader;
  clock: Clock;
  /**
   * Set where no other process can be creating aggregates: a reservation from before this time was left behind by a
   * crash.
   */
  alone_since?: string | undefined;
  findNamesakes?: FindNamesakes | undefined;
}

/** The ids of those that the read models know under a name with the same key, perhaps no longer. */
export type FindNamesakes = (claim: NameClaim, tenantId: TenantId) => Promise<readonly string[]>;

interface Holder<State> {
  aggregate: Aggregate<State, never>;
  id: string;
  meta: Meta;
}

/** A name, or a turn. */
interface Claim {
  kind: ReservedKind;
  name: string;
}

/** One of the streams in which a name is reserved. */
interface Place {
  claim: Claim;
  stream: string;
}

interface AppendOptions {
  id: EventId;
  meta: Meta;
  expected: number | 'none';
}

/** A reserved name, until `undo`; for good once the holder's own event is appended. */
interface Reservation {
  /** Throws where another holder may have taken the name over in the meantime. */
  assertFresh(): void;
  undo(): Promise<void>;
}

/** The turn of a command that is handled alone; see `inTurn`. */
export type Turn = Pick<Reservation, 'assertFresh'>;

/** False where the log may have appended the events although it reported an error. */
export const isRefusal = (error: unknown): boolean => {
  if (error instanceof WrongExpectedRevision) return true;
  return error instanceof Rejected && (error.kind !== 'unavailable' || error.code === 'reservation-expired');
};

const nameTaken = ({ kind, name }: Claim) =>
  rejected(`${kind}-name-taken`, `The name "${name}" is taken by another ${kind}.`, {
    hint: 'Choose another name.',
  });

const isSameName = (a: Claim | null, b: Claim | null): boolean =>
  a !== null && b !== null && nameKey(a.name) === nameKey(b.name);

/** For an aggregate that holds the name already, perhaps in another case. */
const ALREADY_HELD: Reservation = { assertFresh: () => undefined, undo: async () => undefined };

/**
 * Unique names: each has a stream (or two, see `nameStreams`), which is `reserved` or `released`. The reservation is appended first, the
 * aggregate's event second. A reservation whose holder was never created, or has given up the name, can be taken over.
 *
 *     (no events) --NameReserved--> held --NameReleased--> free --NameReserved--> held ...
 */
export const createNames = ({ log, loader, clock, alone_since, findNamesakes }: NamesOptions) => {
  const isLeftBehind = (at: string): boolean => alone_since !== undefined && Date.parse(at) < Date.parse(alone_since);

  const newest = async (stream: string): Promise<Recorded<NameFact> | null> => {
    for await (const recorded of log.readStream(stream, { backwards: true, limit: 1 })) {
      return toFact(recorded) as Recorded<NameFact>;
    }
    return null;
  };

  const append = (stream: string, fact: NameFact, { id, meta, expected }: AppendOptions) => {
    const { version, data } = definitionOf(fact.type);
    const event: NewEvent = { id, type: fact.type, version, data: data.parse(fact.data), meta };
    return log.append(stream, [event], { expected });
  };

  const holdsName = async <State>(claim: Claim, { aggregate, id }: Holder<State>): Promise<boolean> => {
    const { state } = await loader.load(aggregate, id);
    return state !== null && isSameName(aggregate.nameOf(state), claim);
  };

  /** Whether the holder of the reservation holds the name, or may still come to hold it. */
  const isHeld = async <State>(last: Recorded<NameFact>, { aggregate }: Holder<State>): Promise<boolean> => {
    if (last.type !== 'NameReserved') return false;
    const { holder_id, name, kind } = last.data;
    if (await holdsName(last.data, { aggregate, id: holder_id, meta: last.meta })) return true;
    if (!isLeftBehind(last.at) && Date.parse(clock()) - Date.parse(last.at) < TAKE_OVER_MS) return true;
    const holder = await loader.load(aggregate, holder_id);
    if (holder.revision !== null) return false;
    const stream = streamOf(aggregate.area, holder_id);
    const fact = { type: 'CreationAbandoned', data: { kind, name, holder_id } } as const;
    // Concurrent take-overs append the same event, with the same id.
    const id = eventIdOf(last.meta.command_id, `${stream}:${fact.type}`, 0);
    await append(stream, fact, { id, meta: last.meta, expected: 'none' });
    return false;
  };

  const release = async ({ claim, stream }: Place, { id, meta }: Holder<never>): Promise<void> => {
    const last = await newest(stream);
    if (last?.type !== 'NameReserved' || last.data.holder_id !== id) return;
    try {
      const fact = { type: 'NameReleased', data: { ...claim, holder_id: id } } as const;
      await append(stream, fact, { id: newId(EventId), meta, expected: last.revision });
    } catch (error) {
      // Another request was faster: the name is no longer this holder's, which is the aim.
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
  };

  /** Appends the reservation after `last`; null where another request was faster. */
  const reserveAfter = async <State>(
    { claim, stream }: Place,
    holder: Holder<State>,
    last: Recorded<NameFact> | null,
  ): Promise<Reservation | null> => {
    const reservedAt = Date.parse(clock());
    const fact = { type: 'NameReserved', data: { ...claim, holder_id: holder.id } } as const;
    // A new event id each time. With an id derived from the command, the log would answer a repeated command that its
    // reservation exists, although the name has been taken over since.
    const options = { id: newId(EventId), meta: holder.meta, expected: last?.revision ?? ('none' as const) };
    try {
      await append(stream, fact, options);
    } catch (error) {
      if (error instanceof WrongExpectedRevision) return null;
      throw error;
    }
    const isRenewed = last?.type === 'NameReserved' && last.data.holder_id === holder.id;
    return {
      assertFresh: () => {
        if (Date.parse(clock()) - reservedAt < HOLDER_MS) return;
        const message = `Reserving the name "${claim.name}" took too long.`;
        throw new Rejected('unavailable', 'reservation-expired', message, { hint: 'Try again.' });
      },
      undo: async () => {
        // An earlier request of the same holder may still need the reservation.
        if (isRenewed || (await holdsName(claim, holder))) return;
        await release({ claim, stream }, holder as Holder<never>);
      },
    };
  };

  const reserveIn = async <State>(place: Place, holder: Holder<State>): Promise<Reservation> => {
    // The name is nearly always free, and then this append is the only one.
    const first = await reserveAfter(place, holder, null);
    if (first) return first;
    const last = await newest(place.stream);
    if (last?.type === 'NameReserved' && last.data.holder_id === holder.id) {
      if (await holdsName(place.claim, holder)) return ALREADY_HELD;
    } else if (last && (await isHeld(last, holder))) {
      throw nameTaken(place.claim);
    }
    const reservation = await reserveAfter(place, holder, last);
    if (!reservation) throw nameTaken(place.claim);
    return reservation;
  };

  /** For a name of the first releases: another spelling of it had another key, and so no stream that is looked at. */
  const refuseNamesakes = async <State>(claim: NameClaim, { aggregate, id, meta }: Holder<State>): Promise<void> => {
    const others = (await findNamesakes?.(claim, meta.tenant_id)) ?? [];
    for (const other of others) {
      if (other !== id && (await holdsName(claim, { aggregate, id: other, meta }))) throw nameTaken(claim);
    }
  };

  return {
    /** Throws `Rejected` `<kind>-name-taken`. */
    async reserve<State>(claim: NameClaim, holder: Holder<State>): Promise<Reservation> {
      await refuseNamesakes(claim, holder);
      const reservations: Reservation[] = [];
      const undo = async () => {
        for (const each of reservations) await each.undo();
      };
      try {
        for (const stream of nameStreams(holder.meta.tenant_id, claim)) {
          reservations.push(await reserveIn({ claim, stream }, holder));
        }
      } catch (error) {
        await undo();
        throw error;
      }
      return { assertFresh: () => reservations.forEach((each) => void each.assertFresh()), undo };
    },
    /**
     * Runs `work` while no other holder in the tenant has this turn. `work` must call `assertFresh` before it appends: a
     * turn that takes too long goes to the next one, as it does where its process was killed. Throws
     * `WrongExpectedRevision` where another has the turn.
     */
    async inTurn<State, T>(turn: string, holder: Holder<State>, work: (turn: Turn) => Promise<T>): Promise<T> {
      const claim = { kind: 'turn', name: turn } as const;
      const [stream] = nameStreams(holder.meta.tenant_id, claim);
      const last = await newest(stream);
      const isTaken = last !== null && (await isHeld(last, holder));
      const reservation = isTaken ? null : await reserveAfter({ claim, stream }, holder, last);
      if (!reservation) throw new WrongExpectedRevision(stream, last?.revision ?? 'none', null);
      const done = (): Promise<void> => release({ claim, stream }, holder as Holder<never>);
      try {
        const result = await work(reservation);
        await done();
        return result;
      } catch (error) {
        // After any other error the events may still come to be in the log: the turn goes on when it is old.
        if (isRefusal(error)) await done();
        throw error;
      }
    },
    /** Releases the name that the aggregate held before and does not hold afterwards; false where there is none. */
    async releaseDropped<State>(before: State | null, after: State | null, holder: Holder<State>): Promise<boolean> {
      const old = before === null ? null : holder.aggregate.nameOf(before);
      const now = after === null ? null : holder.aggregate.nameOf(after);
      if (!old) return false;
      const { tenant_id } = holder.meta;
      const kept: readonly string[] = now === null ? [] : nameStreams(tenant_id, now);
      const dropped = nameStreams(tenant_id, old).filter((stream) => !kept.includes(stream));
      for (const stream of dropped) await release({ claim: old, stream }, holder as Holder<never>);
      return dropped.length > 0;
    },
  };
};
