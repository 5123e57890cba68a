import { after, call, type Intent, removeObject } from '../process.ts';

const REMOVAL_SECONDS = 24 * 3600;

/** What is left of a model: its uploaded file, and the model service's copy of it. Null: there is none. */
export interface ModelFiles {
  object_key: string | null;
  local_path: string | null;
}

/** Removes the files of a model, also while a service is away for a while. */
export const removeFiles = ({ object_key, local_path }: ModelFiles, at: string): Intent[] => {
  const give_up_at = after(at, REMOVAL_SECONDS);
  return [
    ...(object_key === null ? [] : [removeObject(object_key, { give_up_at })]),
    ...(local_path === null ? [] : [call('model.delete-files', { path: local_path }, { give_up_at })]),
  ];
};
