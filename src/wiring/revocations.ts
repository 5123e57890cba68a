import type { Pool } from 'pg';
import { createRevocations, type Revocations } from '../adapters/oidc/revocations.ts';
import type { Config } from '../config/config.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Logger } from '../telemetry.ts';
import type { Closing } from './closing.ts';

interface Needs {
  closing: Closing;
  logger: Logger;
  pool: Pool;
}

export interface OpenedRevocations {
  value: Revocations;
  /** null: revocations are in Postgres only. */
  dependency: Dependency | null;
}

/**
 * Opens the store of logged-out tokens: Postgres, and with a sidecar also its state store, where the platform's
 * services look.
 */
export const openRevocations = async (
  { dapr }: Config,
  { closing, logger, pool }: Needs,
): Promise<OpenedRevocations> => {
  const revocations = closing.add('revocations', await createRevocations({ pool, log: logger }));
  if (dapr === null) return { value: revocations, dependency: null };
  const { createDaprState } = await import('../adapters/dapr/state.ts');
  const { createSharedRevocations } = await import('../adapters/oidc/shared-revocations.ts');
  const { http_port, api_token, state_store_name } = dapr;
  const state = closing.add(
    'state store',
    createDaprState({ http_port, api_token, store_name: state_store_name, logger }),
  );
  const shared = closing.add('shared revocations', createSharedRevocations({ revocations, state, log: logger }));
  const implementation = `Dapr's state store ${state_store_name}`;
  const check = () => shared.check();
  return { value: shared, dependency: { name: 'state-store', implementation, stand_in: false, needed: false, check } };
};
