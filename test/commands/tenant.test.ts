import { deleteModel } from '../../src/commands/model/delete-model.ts';
import { recordModelMetadata } from '../../src/commands/model/internal/record-model-metadata.ts';
import { registerCloudModel } from '../../src/commands/model/register-cloud-model.ts';
import { updateModel } from '../../src/commands/model/update-model.ts';
import { uploadLocalModel } from '../../src/commands/model/upload-local-model.ts';
import { addProjectMember } from '../../src/commands/project/add-project-member.ts';
import { changeProjectMemberScopes } from '../../src/commands/project/change-project-member-scopes.ts';
import { createProject } from '../../src/commands/project/create-project.ts';
import { deleteProject } from '../../src/commands/project/delete-project.ts';
import { removeProjectMember } from '../../src/commands/project/remove-project-member.ts';
import { updateProject } from '../../src/commands/project/update-project.ts';
import { changeUserPermissions } from '../../src/commands/user/change-user-permissions.ts';
import { disableUser } from '../../src/commands/user/disable-user.ts';
import { followProviderRole } from '../../src/commands/user/internal/follow-provider-role.ts';
import { registerUser } from '../../src/commands/user/internal/register-user.ts';
import { reactivateUser } from '../../src/commands/user/reactivate-user.ts';
import { newId, UserId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { aPerson, commandId, given, later, made, sealedAs, tenant } from './given.ts';

describe('project commands', () => {
  const created = fact('ProjectCreated');
  const { project_id, owner_id } = created.data;
  const user_id = newId(UserId);
  const scopes = ['endpoint:view'];
  const user = [fact('UserRegistered', { user_id })];

  it('accept a member who exists and is not the owner', () => {
    given(created)
      .knowing({ user })
      .when(addProjectMember, { project_id, user_id, scopes })
      .then({ type: 'ProjectMemberAdded' });
    given(created).when(addProjectMember, { project_id, user_id, scopes }).thenRefused('user-not-found');
    given(created)
      .knowing({ user })
      .when(addProjectMember, { project_id, user_id: owner_id, scopes })
      .thenRefused('owner-is-no-member');
  });

  it('make a project that belongs to whoever asks, and want a person for it', () => {
    const person = aPerson();
    given()
      .by(person)
      .when(createProject, { name: ' Chat ' })
      .then({ type: 'ProjectCreated', data: { name: 'Chat', owner_id: person.user_id, is_default: false } });
    given().when(createProject, { name: 'Chat' }).thenRefused('no-owner');
  });

  it('tell only what is new of a project', () => {
    const { name, description } = created.data;
    given(created)
      .when(updateProject, { project_id, name: 'Other', description: 'New' })
      .then(
        { type: 'ProjectRenamed', data: { name: 'Other', previous_name: name } },
        { type: 'ProjectDescribed', data: { description: 'New' } },
      );
    given(created).when(updateProject, { project_id, name, description }).thenNothing();
  });

  it('change the scopes of members, in one order', () => {
    const member = given(created, fact('ProjectMemberAdded', { user_id, scopes: ['endpoint:view'] }));
    member
      .when(changeProjectMemberScopes, { project_id, user_id, scopes: ['model:view', 'endpoint:view'] })
      .then({ type: 'ProjectMemberScopesChanged', data: { scopes: ['endpoint:view', 'model:view'] } });
    member.when(changeProjectMemberScopes, { project_id, user_id, scopes }).thenNothing();
    given(created).when(changeProjectMemberScopes, { project_id, user_id, scopes }).thenRefused('member-not-found');
  });

  it('remove only members', () => {
    const added = fact('ProjectMemberAdded', { user_id });
    given(created, added).when(removeProjectMember, { project_id, user_id }).then({ type: 'ProjectMemberRemoved' });
    given(created).when(removeProjectMember, { project_id, user_id }).thenRefused('member-not-found');
  });

  it('keep the default project', () => {
    given(fact('ProjectCreated', { is_default: true }))
      .when(deleteProject, { project_id })
      .thenRefused('default-project');
  });
});

describe('user commands', () => {
  const admin = fact('UserRegistered', { role: 'admin' });
  const { user_id } = admin.data;

  it('register a person with sealed name and address, and a default project', () => {
    const person = { user_id, subject: 's', email: 'a@b.c', name: 'Ada', role: 'viewer' };
    const data = { email: sealedAs('a@b.c'), name: sealedAs('Ada'), default_project_id: made('default-project') };
    given().when(registerUser, person).then({ type: 'UserRegistered', data });
  });

  it('keep admins from taking the role from themselves', () => {
    const change = { user_id, role: 'viewer', scopes: [] };
    given(admin)
      .by(aPerson({ role: 'admin' }, user_id))
      .when(changeUserPermissions, change)
      .thenRefused('own-admin-role');
    given(admin)
      .knowing({ caller: [admin] })
      .by(aPerson({ role: 'admin' }))
      .when(changeUserPermissions, change)
      .then({ type: 'UserPermissionsChanged' });
  });

  it('let no admin be removed by who was an admin when the request came, and is none any more', () => {
    const removals = [
      [disableUser, { user_id }],
      [changeUserPermissions, { user_id, role: 'viewer', scopes: [] }],
    ] as const;
    const disabled = [admin, fact('UserDisabled')];
    const demoted = [admin, fact('UserPermissionsChanged', { user_id, role: 'viewer', scopes: [] })];
    for (const [removal, data] of removals) {
      for (const caller of [disabled, demoted, []]) {
        given(admin)
          .knowing({ caller })
          .by(aPerson({ role: 'admin' }))
          .when(removal, data)
          .thenRefused('not-permitted');
      }
    }
  });

  it('disable a user once, but nobody themselves, and no admin by who is none', () => {
    const manager = aPerson({ role: 'viewer', scopes: new Set(['user:manage'] as const) });
    const registered = fact('UserRegistered', { role: 'viewer' });
    const viewer = given(registered).by(manager);
    viewer.when(disableUser, { user_id }).then({ type: 'UserDisabled' });
    given(registered, fact('UserDisabled')).by(manager).when(disableUser, { user_id }).thenNothing();
    given(registered)
      .by(aPerson({ role: 'viewer' }, user_id))
      .when(disableUser, { user_id })
      .thenRefused('own-account');
    given(admin).by(manager).when(disableUser, { user_id }).thenRefused('not-permitted');
  });

  it('reactivate a disabled user once, and no admin by who is none', () => {
    const manager = aPerson({ role: 'viewer', scopes: new Set(['user:manage'] as const) });
    const registered = fact('UserRegistered', { role: 'viewer' });
    given(registered, fact('UserDisabled'))
      .by(manager)
      .when(reactivateUser, { user_id })
      .then({ type: 'UserReactivated' });
    given(registered).by(manager).when(reactivateUser, { user_id }).thenNothing();
    given(admin, fact('UserDisabled')).by(manager).when(reactivateUser, { user_id }).thenRefused('not-permitted');
  });

  it('follow a role that the identity provider changes, and no older token than the newest that did', () => {
    const said = (role: string, issued_at: string) => ({ user_id, role, issued_at });
    const followed = given(admin, fact('UserProviderRoleChanged', { user_id, role: 'viewer', issued_at: later(60) }));
    given(admin)
      .when(followProviderRole, said('viewer', later(60)))
      .then({ type: 'UserProviderRoleChanged', data: { role: 'viewer', issued_at: later(60) } });
    followed.when(followProviderRole, said('admin', later(30))).thenNothing();
    followed.when(followProviderRole, said('viewer', later(90))).thenNothing();
    followed.when(followProviderRole, said('developer', later(90))).then({ type: 'UserProviderRoleChanged' });
  });

  it('keep what was changed here while the identity provider says the same as before', () => {
    const changed = given(admin, fact('UserPermissionsChanged', { user_id, role: 'viewer', scopes: [] }));
    changed.when(followProviderRole, { user_id, role: 'admin', issued_at: later(60) }).thenNothing();
    changed
      .when(followProviderRole, { user_id, role: 'developer', issued_at: later(60) })
      .then({ type: 'UserProviderRoleChanged', data: { role: 'developer' } });
  });

  it('keep those who manage users from making themselves more than they are', () => {
    const manager = aPerson({ role: 'viewer', scopes: new Set(['user:manage'] as const) });
    const viewer = given(fact('UserRegistered', { role: 'viewer' })).by(manager);
    viewer.when(changeUserPermissions, { user_id, role: 'admin', scopes: [] }).thenRefused('not-permitted');
    viewer
      .when(changeUserPermissions, { user_id, role: 'viewer', scopes: ['cluster:manage'] })
      .thenRefused('not-permitted');
    given(admin)
      .by(manager)
      .when(changeUserPermissions, { user_id, role: 'viewer', scopes: [] })
      .thenRefused('not-permitted');
  });
});

describe('model commands', () => {
  const uploaded = fact('LocalModelUploaded');
  const { model_id, artefact } = uploaded.data;
  const { metadata } = fact('ModelMetadataRecorded').data;

  it('want org/name of a model on huggingface', () => {
    given().when(registerCloudModel, { name: 'M', repo_id: 'no-slash' }).thenRefused('invalid-input');
    given()
      .when(registerCloudModel, { name: 'M', repo_id: 'org/m' })
      .then({ type: 'CloudModelRegistered', data: { deadline: later(600) } });
  });

  it('accept only a file that was stored for the same command', () => {
    const stored = (object_key: string) => ({ name: 'M', artefact: { ...artefact, object_key } });
    const own = `models/${tenant}/${commandId}/`;
    given()
      .when(uploadLocalModel, stored(`${own}m.onnx`))
      .then({ type: 'LocalModelUploaded' });
    given()
      .when(uploadLocalModel, stored(`models/${tenant}/${model_id}/m.onnx`))
      .thenRefused('artefact-not-stored');
    given()
      .when(uploadLocalModel, stored(`${own}../other/m.onnx`))
      .thenRefused('artefact-not-stored');
  });

  it('tell only what is new of a model, and nothing of one whose onboarding failed', () => {
    const { name } = uploaded.data;
    given(uploaded)
      .when(updateModel, { model_id, name: 'Other' })
      .then({ type: 'ModelRenamed', data: { name: 'Other', previous_name: name } });
    given(uploaded).when(updateModel, { model_id, name }).thenNothing();
    given(uploaded, fact('ModelOnboardingFailed'))
      .when(updateModel, { model_id, name: 'Other' })
      .thenRefused('model-failed');
  });

  it('record what was found once, and refuse it after the onboarding failed', () => {
    const data = { model_id, metadata };
    given(uploaded).when(recordModelMetadata, data).then({ type: 'ModelMetadataRecorded' });
    given(uploaded, fact('ModelMetadataRecorded')).when(recordModelMetadata, data).thenNothing();
    given(uploaded, fact('ModelOnboardingFailed')).when(recordModelMetadata, data).thenRefused('model-not-onboarding');
  });

  it('delete a model once it is read, or failed, with its file', () => {
    const { workflow_id } = uploaded.data;
    given(uploaded)
      .when(deleteModel, { model_id })
      .then({ type: 'ModelDeleted', data: { artefact, ends: workflow_id } });
    given(uploaded, fact('ModelOnboardingFailed'))
      .when(deleteModel, { model_id })
      .then({ type: 'ModelDeleted', data: { artefact } });
  });
});
