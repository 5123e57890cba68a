import { TenantId } from '../../events/ids.ts';

/** The one tenant of the embedded default: the local provider puts it into every token as `tenant_id`. */
export const DEFAULT_TENANT_ID = TenantId.parse('01900000-0000-7000-8000-000000000001');
