import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { Position } from '../../events/event.ts';
import { type AllPage, createPage, PAGE } from './all-page.ts';
import { EndedEarly, ResponseTimeout } from './connection.ts';
import { type ReadServer, readWith } from './read.ts';
import { type StreamNames, subscribeRequest } from './read-request.ts';
import { toPosition } from './row.ts';

/** A page that the server has filtered. */
export interface FilteredPage extends AllPage {
  /** All events up to here that pass the filter are in this page or an earlier one. There may be no event here. */
  reached: Position | null;
  /** The server has no more, or says nothing of it: the rest is read without a filter. */
  ended: boolean;
}

export interface FilteredRange {
  after: Position | null;
  upTo: Position;
  names: StreamNames;
}

const positionIn = (answer: ReadResp): Position | null => {
  const place = answer.getCheckpoint() ?? answer.getEvent()?.getEvent();
  if (!place) return null;
  return toPosition({ commit: BigInt(place.getCommitPosition()), prepare: BigInt(place.getPreparePosition()) });
};

/**
 * Reads the next events of these streams. Not by a read, whose filter leaves it silent for as long as nothing passes, but
 * by a subscription that is cancelled when the page is full: its checkpoints say how far the server is.
 */
export const readFiltered = (server: ReadServer, { after, upTo, names }: FilteredRange): Promise<FilteredPage> =>
  readWith(server, () => {
    const { take, sofar } = createPage(PAGE, server.strangers);
    let reached = after;
    let ended = false;
    let confirmed = false;
    const page = (): FilteredPage => ({ ...sofar(), reached, ended });
    return {
      request: subscribeRequest(after ?? 'start', names),
      take(answer) {
        confirmed ||= answer.hasConfirmation();
        ended ||= answer.hasCaughtUp();
        const position = positionIn(answer);
        if (position === null || (reached !== null && position <= reached)) return ended;
        reached = position < upTo ? position : upTo;
        // What has come since is for the next one to read.
        if (position > upTo) return true;
        return take(answer) || position === upTo || sofar().count >= PAGE;
      },
      finish() {
        if (reached === after && !ended) throw new EndedEarly('reading some streams');
        return page();
      },
      keep(error) {
        // A server before 23.10 does not say that it has no more.
        ended ||= confirmed && error instanceof ResponseTimeout;
        return reached !== after || ended ? page() : null;
      },
    };
  });
