import { maySeeOf } from '../../commands/may-see.ts';
import { Rejected } from '../../errors.ts';
import type { Position } from '../../events/event.ts';
import type { ApiCaller } from '../callers/caller.ts';
import {
  accessChangeFor,
  accessFactOfEvent,
  accessFactTypes,
  type FollowedAccess,
  followAccess,
  tellsRemovalOf,
} from './access-change.ts';
import { type Audience, createAudience, type Flushing } from './audience.ts';
import type { Frame } from './frame.ts';
import type { SubscriptionFilter } from './subscription.ts';
import type { ViewersOptions } from './viewers.ts';

/** One user that follows the live stream, with all clients of that user in this process. */
export interface Viewer {
  /** Access as of `asOf`. */
  caller(): Pick<ApiCaller, 'tenant_id' | 'user_id' | 'access'>;
  /** The position of the last frame that the audiences have got, as far as it was for them. */
  asOf(): Position | null;
  /** Whether a frame up to `asOf` is shown; `always`: whatever the areas and resources that a client asks for. */
  shows(frame: Frame): { always: boolean } | null;
  audience(filter: SubscriptionFilter): Audience;
  /** True once its access could not be followed: its clients have been told. */
  hasFailed(): boolean;
  close(): void;
}

export interface ViewerOptions extends ViewersOptions {
  caller: ApiCaller;
  flushing: Flushing;
}

/** Bound on the frames kept while access is looked up. */
const MAX_HELD = 10_000;

const isLater = (position: Position | null, other: Position | null): boolean =>
  position !== null && (other === null || position > other);

const userDisabled = (): Rejected => new Rejected('forbidden', 'user-disabled', 'This user has been disabled.');
const accessUnknown = (): Rejected =>
  new Rejected('unavailable', 'access-unknown', 'It is not known yet what this user may see.');

/**
 * Resolves once the user's access is known. From then on it follows the frames, in the order of the log:
 *
 *     looking up -> following <-> looking up again, where a fact does not tell enough; frames are held meanwhile
 */
export const createViewer = async (options: ViewerOptions): Promise<Viewer> => {
  const { hub, log, callers, flushing } = options;
  const { tenant_id, user_id } = options.caller;
  const audiences = new Map<string, Audience>();
  const closing = new AbortController();
  /** Frames that wait until the access is known; null while it is followed. */
  let held: Frame[] | null = [];
  let failed = false;
  let followed: FollowedAccess = followAccess(options.caller.access);
  /** The access looked up has all facts up to this position, though frames may come from before it. */
  let lookedUpAt: Position | null = null;
  let asOf: Position | null = hub.seen();

  const viewed = () => ({ tenant_id, user_id, access: followed.access() });
  const sees = ({ area, resource_id, project_id }: Frame): boolean =>
    maySeeOf(viewed(), { area, id: resource_id, project_id });

  const fail = (error: unknown): void => {
    if (failed) return;
    failed = true;
    close();
    for (const audience of audiences.values()) audience.fail(error);
  };

  const pass = (frame: Frame, options: { always: boolean }): void => {
    for (const audience of audiences.values()) audience.pass(frame, options);
  };

  /** The read models may be behind the frames: what they do not have yet is read from the log. */
  const lookUp = async (upTo: Position | null, atLeast: Position | null): Promise<void> => {
    const { access, as_of } = await callers.accessAt({ tenant_id, user_id }, atLeast);
    const found = followAccess(access);
    if (isLater(upTo, as_of)) {
      const filter = { types: accessFactTypes };
      const range = { after: as_of ?? ('start' as const), filter, live: false, signal: closing.signal };
      for await (const item of log.subscribe(range)) {
        if ('caughtUp' in item) continue;
        if (isLater(item.position, upTo)) break;
        if (item.meta.tenant_id !== tenant_id) continue;
        const change = accessChangeFor(accessFactOfEvent(item), user_id);
        if (!change || found.apply(change)) continue;
        // Only what is looked up at that position can tell.
        if (atLeast === null) return lookUp(upTo, upTo);
        throw accessUnknown();
      }
    }
    if (found.isDisabled()) throw userDisabled();
    followed = found;
    lookedUpAt = isLater(as_of, upTo) ? as_of : upTo;
  };

  /** False where the access must be looked up before the frame can be judged. */
  const follow = (frame: Frame): boolean => {
    if (!isLater(frame.position, lookedUpAt)) return true;
    const change = accessChangeFor(frame.fact, user_id);
    if (change === null) return true;
    const isKnown = followed.apply(change);
    if (followed.isDisabled()) throw userDisabled();
    return isKnown;
  };

  const lookUpAgain = async (frame: Frame, before: boolean): Promise<void> => {
    await lookUp(frame.position, frame.position);
    asOf = frame.position;
    if (before || sees(frame)) pass(frame, { always: false });
    release();
  };

  const take = (frame: Frame): void => {
    if (frame.tenant_id !== tenant_id) return;
    const before = sees(frame);
    if (!follow(frame)) {
      held = [];
      lookUpAgain(frame, before).catch(fail);
      return;
    }
    asOf = frame.position;
    const always = tellsRemovalOf(frame.fact, user_id);
    // What ends somebody's access is still shown, as is what begins it.
    if (always || before || (frame.fact !== null && sees(frame))) pass(frame, { always });
  };

  /** Takes the held frames; one of them may have the access looked up again. */
  const release = (): void => {
    const frames = held ?? [];
    held = null;
    for (const [index, frame] of frames.entries()) {
      take(frame);
      if (held === null) continue;
      held = frames.slice(index + 1);
      return;
    }
  };

  const unlisten = hub.listen((frame) => {
    try {
      if (held === null) take(frame);
      else if (held.length < MAX_HELD) held.push(frame);
      else fail(accessUnknown());
    } catch (error) {
      fail(error);
    }
  }, fail);

  const close = (): void => {
    closing.abort();
    unlisten();
  };

  const audience = (filter: SubscriptionFilter): Audience => {
    const key = JSON.stringify([filter.project, filter.area, filter.resource]);
    const known = audiences.get(key);
    if (known) return known;
    const created = createAudience({ filter, flushing, onEmpty: () => audiences.delete(key) });
    audiences.set(key, created);
    return created;
  };

  try {
    await lookUp(asOf, null);
    release();
  } catch (error) {
    close();
    throw error;
  }
  return {
    caller: viewed,
    asOf: () => asOf,
    shows: (frame) => {
      if (frame.tenant_id !== tenant_id) return null;
      const always = tellsRemovalOf(frame.fact, user_id);
      return always || sees(frame) ? { always } : null;
    },
    audience,
    hasFailed: () => failed,
    close,
  };
};
