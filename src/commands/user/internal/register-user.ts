import { z } from 'zod';
import { ProjectId, UserId } from '../../../events/ids.ts';
import { Role } from '../../../events/values.ts';
import { userCreation } from '../user-state.ts';

export const registerUser = userCreation({
  type: 'RegisterUser',
  summary: 'Register a user of the identity provider',
  permission: 'system',
  data: z.strictObject({
    user_id: UserId,
    /** The claim `sub` of the identity provider. */
    subject: z.string().min(1),
    email: z.string(),
    name: z.string(),
    role: Role,
  }),
  target: ({ user_id }) => user_id,
  seals: ({ user_id }) => user_id,
  decide: ({ user_id, subject, email, name, role }, _state, { make, seal }) => ({
    type: 'UserRegistered',
    data: {
      user_id,
      subject,
      email: seal(email),
      name: seal(name),
      role,
      default_project_id: ProjectId.parse(make('default-project')),
    },
  }),
});
