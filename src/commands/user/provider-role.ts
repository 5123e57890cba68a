import type { Role } from '../../events/values.ts';

/** What the identity provider said of a user's role, and when: RFC 3339, null for the role of the first login. */
interface ProviderRole {
  role: Role;
  issued_at: string | null;
}

/**
 * Pure. Whether a token changes the role: the identity provider says another one than before, later. Tokens from before a
 * change are still in use for minutes after it.
 */
export const changesProviderRole = (before: ProviderRole, { role, issued_at }: { role: Role; issued_at: string }) =>
  role !== before.role && (before.issued_at === null || issued_at > before.issued_at);
