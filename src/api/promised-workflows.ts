import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { parseStream } from '../events/catalog.ts';
import type { RecordedEvent } from '../events/event.ts';
import { madeAt, type UserId, WorkflowId } from '../events/ids.ts';

/** A workflow that has not started by then is delayed: a list that waited for it would say nothing else that is new. */
const PROMISED_MS = 10_000;
const MAX_PROMISES = 10_000;

const Naming = z.object({ workflow_id: WorkflowId });

export interface PromisedWorkflows {
  /** Takes what `user` has appended: a command that starts a workflow names it in its fact. */
  promised(event: RecordedEvent, user: UserId): void;
  /** The user to whom the workflow was promised that this event starts; null for any other event. */
  started(event: RecordedEvent): UserId | null;
  /** Whether a workflow of the user is promised and has not started. */
  isAwaited(user: UserId): boolean;
}

/** The workflows that answers have named and that no process has started yet. */
export const createPromisedWorkflows = (): PromisedWorkflows => {
  const promises = new LRUCache<WorkflowId, UserId>({ max: MAX_PROMISES, ttl: PROMISED_MS });

  return {
    promised({ stream, meta, data }, user) {
      const named = Naming.safeParse(data).data?.workflow_id;
      // The id of a new workflow is derived from its command, and has its time.
      if (named === undefined || madeAt(named) !== madeAt(meta.command_id)) return;
      if (parseStream(stream)?.area !== 'workflow') promises.set(named, user);
    },
    started({ type, data }) {
      if (type !== 'WorkflowStarted') return null;
      const named = Naming.safeParse(data).data?.workflow_id;
      const user = named === undefined ? undefined : promises.get(named);
      if (named === undefined || user === undefined) return null;
      promises.delete(named);
      return user;
    },
    isAwaited: (user) => [...promises.values()].includes(user),
  };
};
