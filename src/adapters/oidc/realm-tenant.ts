import { v5 } from 'uuid';
import { TenantId } from '../../events/ids.ts';

const REALM_NAMESPACE = '6b1c1e0a-2f0d-5f5e-9b7a-8c3d5e7f9a10';

/** The tenant id of a realm. It is derived from the realm's name alone, so it stays when Keycloak moves. */
export const tenantOfRealm = (name: string): TenantId => TenantId.parse(v5(name, REALM_NAMESPACE));
