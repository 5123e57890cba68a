import { readFileSync } from 'node:fs';

/** What a walk does to one file. */
export interface Change {
  path: string;
  /** True: the walk makes the file. */
  is_new: boolean;
  /** The file afterwards; `before` is empty where it is new. Throws where it is not as the walk expects it. */
  apply(before: string): string;
  /** Where the compiler complains if the change is left out, and of what. */
  complaint: Complaint;
  /** What the failures of the tests contain if it is left out; null: it is not the tests that ask for it. */
  failure: string | null;
}

export interface Complaint {
  path: string;
  text: string;
}

/** Something put in behind a text, or in its stead. The text occurs once. */
type Edit = { after: string; insert: string } | { replace: string; by: string };

const edited = (path: string, text: string, edit: Edit): string => {
  const [found, instead] = 'after' in edit ? [edit.after, `${edit.after}${edit.insert}`] : [edit.replace, edit.by];
  const parts = text.split(found);
  if (parts.length !== 2) throw new Error(`${path} has ${parts.length - 1} times, not once: ${found}`);
  return parts.join(instead);
};

type LeftOut = Partial<Pick<Change, 'complaint' | 'failure'>>;

const leftOut = (path: string, { complaint = { path, text: '' }, failure = null }: LeftOut) => ({ complaint, failure });

/** A new file, which lies in `folder` beside this one under the path that it is to have. */
export const made = (folder: 'area' | 'fact', path: string, options: LeftOut = {}): Change => ({
  path,
  is_new: true,
  apply: () => readFileSync(new URL(`${folder}/${path}`, import.meta.url), 'utf8'),
  ...leftOut(path, options),
});

/** Edits of a file that is there. Where the compiler misses them, it says so in the file itself if not elsewhere. */
export const changed = (path: string, edits: readonly Edit[], options: LeftOut = {}): Change => ({
  path,
  is_new: false,
  apply: (before) => edits.reduce((text, edit) => edited(path, text, edit), before),
  ...leftOut(path, options),
});
