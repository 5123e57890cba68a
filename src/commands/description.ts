import { z } from 'zod';
import { Description, Tags } from '../events/values.ts';

/** The fields that describe a project or model, for a command that changes those which are given. */
export const descriptionChange = { description: Description.optional(), tags: Tags.optional() };
const DescriptionChange = z.object(descriptionChange);
type DescriptionChange = z.output<typeof DescriptionChange>;

interface Described {
  description: string;
  tags: readonly string[];
}

/** The description afterwards; null where it stays as it is. */
export const changedDescription = (change: DescriptionChange, state: Described) => {
  const description = change.description ?? state.description;
  const tags = [...(change.tags ?? state.tags)];
  const isSame = description === state.description && tags.join('\n') === state.tags.join('\n');
  return isSame ? null : { description, tags };
};
