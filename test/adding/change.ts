import { readFileSync } from 'node:fs';

/** A change of one file: a step of a walk. */
export interface Change {
  path: string;
  /** True: the walk makes the file. */
  is_new: boolean;
  /** The file afterwards; `before` is empty where it is new. Throws where it is not as the walk expects it. */
  apply(before: string): string;
  /** The compiler error if the change is left out. */
  complaint: Complaint;
  /** A text in the test failures if the change is left out; null: no test finds it. */
  failure: string | null;
}

export interface Complaint {
  path: string;
  text: string;
}

/** Inserts after a text, or replaces it. The text occurs once in the file. */
type Edit = { after: string; insert: string } | { replace: string; by: string };

const edited = (path: string, text: string, edit: Edit): string => {
  const [found, instead] = 'after' in edit ? [edit.after, `${edit.after}${edit.insert}`] : [edit.replace, edit.by];
  const parts = text.split(found);
  if (parts.length !== 2) throw new Error(`${path} has ${parts.length - 1} times, not once: ${found}`);
  return parts.join(instead);
};

type LeftOut = Partial<Pick<Change, 'complaint' | 'failure'>>;

const leftOut = (path: string, { complaint = { path, text: '' }, failure = null }: LeftOut) => ({ complaint, failure });

/** A new file. Its text is in `folder`, next to this file, under the same path. */
export const made = (folder: 'area' | 'fact', path: string, options: LeftOut = {}): Change => ({
  path,
  is_new: true,
  apply: () => readFileSync(new URL(`${folder}/${path}`, import.meta.url), 'utf8'),
  ...leftOut(path, options),
});

/** Edits of an existing file. Left out, they make a compiler error in the same file, unless `complaint` names another. */
export const changed = (path: string, edits: readonly Edit[], options: LeftOut = {}): Change => ({
  path,
  is_new: false,
  apply: (before) => edits.reduce((text, edit) => edited(path, text, edit), before),
  ...leftOut(path, options),
});
