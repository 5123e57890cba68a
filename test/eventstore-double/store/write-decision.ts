import { type EventLog, type ExpectedRevision, metadataStream } from './event-log.ts';

/** What the server decides about a write before it writes anything; `current` is -1 where there is no stream. */
export type WriteDecision =
  | { kind: 'write'; undelete: boolean }
  | { kind: 'repeat'; lastRevision: number }
  | { kind: 'wrong-expected-version'; current: number }
  | { kind: 'deleted' };

interface Question {
  stream: string;
  expected: ExpectedRevision;
  ids: readonly string[];
  /** It deletes the stream, though not for good. */
  deletes: boolean;
}

/** With `any` and `stream_exists` the server looks only at the ids it has seen lately, and at no revision. */
const decideByRecentIds = (log: EventLog, { stream, ids }: Question, current: number): WriteDecision => {
  const places = ids.map((id) => log.recent.find(id));
  const known = places.findIndex((place) => place?.stream !== stream);
  if (known === 0 || ids.length === 0) return { kind: 'write', undelete: log.isDeleted(stream) };
  // The first ids are known and a later one is not: the server calls it a broken repeat and answers as for a conflict.
  if (known > 0) return { kind: 'wrong-expected-version', current };
  return { kind: 'repeat', lastRevision: places.at(-1)?.revision ?? current };
};

/** Behind the expected revision there are events: a repeat of this very write, or somebody else's. */
const decideByPlace = (log: EventLog, { stream, ids }: Question, expected: number, current: number): WriteDecision => {
  const indices = log.indicesOf(stream);
  const idAt = (revision: number): string | undefined => {
    const index = indices[revision];
    return index === undefined ? undefined : log.event(index)?.id;
  };
  const differs = ids.findIndex((id, n) => idAt(expected + 1 + n) !== id);
  if (ids.length > 0 && differs === -1) return { kind: 'repeat', lastRevision: expected + ids.length };
  if (differs === 0 && expected === -1 && log.isDeleted(stream)) return { kind: 'write', undelete: true };
  return { kind: 'wrong-expected-version', current };
};

/**
 * The check of the real server before a write (versions 22 to 24 alike): a tombstoned stream takes nothing, and one that is
 * not there cannot be deleted; a repeated
 * write is recognised by its event ids and answered as the first time; a write that repeats only in part conflicts.
 */
export const decideWrite = (log: EventLog, question: Question): WriteDecision => {
  const { stream, expected } = question;
  const current = log.revisionOf(stream);
  const softDeleted = log.isDeleted(stream);
  if (current === Infinity) return { kind: 'deleted' };
  if (expected === 'stream_exists') {
    if (softDeleted) return { kind: 'deleted' };
    // Metadata of its own is enough for a stream to exist.
    if (current < 0 && log.revisionOf(metadataStream(stream)) < 0) return { kind: 'wrong-expected-version', current };
  }
  if (question.deletes && current < 0) return { kind: 'wrong-expected-version', current };
  if (expected === 'any' || expected === 'stream_exists') return decideByRecentIds(log, question, current);
  const revision = expected === 'no_stream' ? -1 : expected;
  if (revision < current) return decideByPlace(log, question, revision, current);
  if (revision > current) return { kind: 'wrong-expected-version', current };
  return { kind: 'write', undelete: softDeleted };
};
