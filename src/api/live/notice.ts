import type { Position } from '../../events/event.ts';

/** Why a client is told to go on from a position: where to, and whether it has to read its data again. */
export type ResetCode =
  /** The position that it asked for cannot be continued: it has to read its data again. */
  | 'cannot-continue'
  /** It did not read what was sent. Nothing is lost where it connects again with this position. */
  | 'too-slow';

const noticeText = (type: string, data: object): string =>
  JSON.stringify({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: '/budapp/stream',
    type,
    subject: 'bud.stream',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data,
  });

/** Tells a client that the stream goes on from `position`, and why. */
export const resetText = (reason: { code: ResetCode; message: string }, position: Position | null): string =>
  noticeText('bud.stream.reset', { reason, position });

/** Tells a client that its replay goes on though nothing is sent: it has all that is for it up to `position`. */
export const progressText = (position: Position | null): string => noticeText('bud.stream.progress', { position });
