import { toFact } from '../../src/events/catalog.ts';
import type { EndpointId } from '../../src/events/ids.ts';
import type { ManyDeployments } from './many-deployments.ts';

/** Resolves for each endpoint when its deployment has ended; by one reader of the log for all, from its end on. */
export const watchEndings = async ({ system }: ManyDeployments) => {
  const after = (await system.log.head()) ?? 'start';
  const stopped = new AbortController();
  const waiting = new Map<EndpointId, () => void>();
  const ended = new Set<EndpointId>();
  const failures: string[] = [];
  const read = async (): Promise<void> => {
    for await (const item of system.log.subscribe({ after, live: true, signal: stopped.signal })) {
      if ('caughtUp' in item || (item.type !== 'EndpointDeployed' && item.type !== 'EndpointFailed')) continue;
      const { type, data } = toFact(item);
      if (type === 'EndpointFailed') failures.push(data.reason.message);
      if (type !== 'EndpointFailed' && type !== 'EndpointDeployed') continue;
      ended.add(data.endpoint_id);
      waiting.get(data.endpoint_id)?.();
    }
  };
  const reading = read().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  return {
    failures,
    until: (id: EndpointId): Promise<void> =>
      new Promise((resolve) => {
        if (ended.has(id)) resolve();
        else waiting.set(id, resolve);
      }),
    close: async (): Promise<void> => {
      stopped.abort();
      await reading;
    },
  };
};
