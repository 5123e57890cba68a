import { type Batch, emptyBatch } from './batch.ts';
import { type Cork, createCork } from './cork.ts';
import type { Frame } from './frame.ts';
import { isWanted, type SubscriptionFilter } from './subscription.ts';

/** A client of an audience. */
export interface Member {
  /** Called for each frame until the member is live. True where it is live from this frame on. */
  arrived(frame: Frame): boolean;
  /** Called for each batch once the member is live. */
  take(batch: Batch): void;
  failed(error: unknown): void;
}

/** The clients of one caller with the same filter: what one of them gets, all get. */
export interface Audience {
  join(member: Member): void;
  leave(member: Member): void;
  /** Passes on a frame that the caller may see. */
  pass(frame: Frame, options: { always: boolean }): void;
  flush(): void;
  fail(error: unknown): void;
}

/** Frames are flushed before the cork is pulled where they take more than this. */
const MAX_BATCH = 256 * 1024;

/** The batch that each flush begins with, and the cork, which are shared by all audiences. */
export interface Flushing {
  empty(): Batch;
  /** Has the audience flushed soon. */
  mark(audience: Audience): void;
  close(): void;
}

export const createFlushing = (): Flushing => {
  const marked = new Set<Audience>();
  let empty = emptyBatch();
  const cork: Cork = createCork(() => {
    const audiences = [...marked];
    marked.clear();
    empty = emptyBatch();
    for (const audience of audiences) audience.flush();
  });
  return {
    empty: () => empty,
    mark: (audience) => {
      marked.add(audience);
      cork.pull();
    },
    close: () => cork.stop(),
  };
};

export interface AudienceOptions {
  filter: SubscriptionFilter;
  flushing: Flushing;
  /** Called when the last member has left. */
  onEmpty(): void;
}

export const createAudience = ({ filter, flushing, onEmpty }: AudienceOptions): Audience => {
  const waiting = new Set<Member>();
  const live = new Set<Member>();
  let batch: Batch | null = null;

  const goLive = (member: Member): void => {
    // The batch has frames that have been shown to the member already.
    audience.flush();
    waiting.delete(member);
    live.add(member);
  };

  const audience: Audience = {
    join: (member) => waiting.add(member),
    leave: (member) => {
      waiting.delete(member);
      live.delete(member);
      if (waiting.size + live.size === 0) onEmpty();
    },
    pass: (frame, { always }) => {
      if (!isWanted(filter, frame, { always })) return;
      for (const member of waiting) if (member.arrived(frame)) goLive(member);
      if (live.size === 0) return;
      batch = (batch ?? flushing.empty()).with(frame);
      flushing.mark(audience);
      if (batch.size > MAX_BATCH) audience.flush();
    },
    flush: () => {
      if (batch === null) return;
      const flushed = batch;
      batch = null;
      for (const member of live) member.take(flushed);
    },
    fail: (error) => {
      for (const member of [...waiting, ...live]) member.failed(error);
    },
  };
  return audience;
};
