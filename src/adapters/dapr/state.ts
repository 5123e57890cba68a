import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import type { Closable } from '../../ports/closable.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';
import type { SharedState } from '../../ports/shared-state.ts';
import { createOutage } from '../../resilience/outage.ts';
import { createDaprSidecar, type DaprSettings } from './sidecar.ts';

const ANSWER_TIMEOUT_MS = 2_000;
const RETRY_AFTER_SECONDS = 5;

/** The SDK returns the error of a failed save, instead of throwing it. */
const Saved = z.looseObject({ error: z.unknown().optional() });

export interface DaprState extends SharedState, Closable {
  /** Throws `SystemUnusable` where the sidecar does not answer, refuses our token or has no such state store. */
  check(): Promise<void>;
}

/**
 * The state store `store_name` of this process's sidecar. The component's `keyPrefix` decides whether other
 * applications see the same keys; by default only those with the same app id do. A value is gone after its time to
 * live, or as soon as the store loses its data.
 */
export const createDaprState = ({ store_name, ...settings }: DaprSettings & { store_name: string }): DaprState => {
  const sidecar = createDaprSidecar(settings);
  const outage = createOutage({
    logger: settings.logger,
    failing: (err) => ({
      message: `the state store ${store_name} cannot be used: look at the sidecar's component of that name (DAPR_STATE_STORE_NAME), and at the Redis behind it`,
      fields: { err },
    }),
    working: `the state store ${store_name} can be used again`,
  });

  const unavailable = (cause: ServiceFailure): Rejected => {
    outage.failed(cause);
    return new Rejected('unavailable', 'shared-state-unavailable', 'The shared state store cannot be used right now.', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause,
    });
  };

  const ask = async (request: Omit<Parameters<typeof sidecar.call>[0], 'timeout_ms'>): Promise<unknown> => {
    try {
      const answer = await sidecar.call({ ...request, timeout_ms: ANSWER_TIMEOUT_MS });
      outage.ok();
      return answer;
    } catch (cause) {
      throw cause instanceof ServiceFailure ? unavailable(cause) : cause;
    }
  };

  return {
    async put(key, value, { ttl_seconds }) {
      await ask({
        what: `state store ${store_name}`,
        perform: async (client) => {
          // Dapr takes whole seconds. At least one, since 0 would keep the value for ever.
          const metadata = { ttlInSeconds: String(Math.max(1, Math.ceil(ttl_seconds))) };
          const { error } = Saved.parse(await client.state.save(store_name, [{ key, value, metadata }]));
          if (error !== undefined) throw error;
        },
      });
    },
    async get(key) {
      const value = await ask({
        what: `state store ${store_name}`,
        // The SDK puts the key into the path without escaping it.
        perform: (client) => client.state.get(store_name, encodeURIComponent(key)),
      });
      // A value that another application stored as JSON comes back parsed.
      return value === null || typeof value === 'string' ? value : JSON.stringify(value);
    },
    check: () => sidecar.check({ name: store_name, setting: 'DAPR_STATE_STORE_NAME' }),
    close: sidecar.close,
  };
};
