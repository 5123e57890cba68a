import { z } from 'zod';
import { Description, Tags } from '../events/values.ts';

/** The descriptive fields of a project or model, for a command that changes only the given ones. */
export const descriptionChange = { description: Description.optional(), tags: Tags.optional() };
const DescriptionChange = z.object(descriptionChange);
type DescriptionChange = z.output<typeof DescriptionChange>;

interface Described {
  description: string;
  tags: readonly string[];
}

/** The changed description; null where nothing changes. */
export const changedDescription = (change: DescriptionChange, state: Described) => {
  const description = change.description ?? state.description;
  const tags = [...(change.tags ?? state.tags)];
  const isSame = description === state.description && tags.join('\n') === state.tags.join('\n');
  return isSame ? null : { description, tags };
};
