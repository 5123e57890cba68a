import { Rejected } from '../../errors.ts';
import type { UserId } from '../../events/ids.ts';
import type { Log } from '../../ports/log.ts';
import type { ApiCaller, Callers } from '../callers/caller.ts';
import { createFlushing } from './audience.ts';
import type { Hub } from './hub.ts';
import { createViewer, type Viewer } from './viewer.ts';

export interface ViewersOptions {
  hub: Hub;
  log: Log;
  callers: Pick<Callers, 'accessAt'>;
}

export interface Viewers {
  /** The viewer of the caller's user, whose clients share one. To be released by each of them. */
  open(caller: ApiCaller): Promise<{ viewer: Viewer; release(): void }>;
  close(): void;
}

/** The users that follow the live stream: access is looked up once for all clients of a user, and follows the log then. */
export const createViewers = (options: ViewersOptions): Viewers => {
  const flushing = createFlushing();
  const opened = new Map<UserId, { viewer: Promise<Viewer>; users: number }>();

  return {
    open: async (caller) => {
      const key = caller.user_id;
      const entry = opened.get(key) ?? { viewer: createViewer({ ...options, caller, flushing }), users: 0 };
      opened.set(key, entry);
      entry.users += 1;
      const forget = (): void => {
        if (opened.get(key) === entry) opened.delete(key);
      };
      try {
        const viewer = await entry.viewer;
        if (viewer.hasFailed()) throw new Rejected('unavailable', 'access-unknown', 'The access is not known.');
        const release = (): void => {
          entry.users -= 1;
          if (entry.users > 0) return;
          forget();
          viewer.close();
        };
        return { viewer, release };
      } catch (error) {
        forget();
        throw error;
      }
    },
    close: () => flushing.close(),
  };
};
