import type { ClientBase } from 'pg';
import type { RecordedEvent } from '../../events/event.ts';
import type { Process } from '../process.ts';
import { deliveriesOf } from './delivery.ts';
import type { InstanceKey } from './instance-key.ts';
import { hasSeen, nameOf, namesOf, type Reacted, reactTo, receiverOf } from './instance-reaction.ts';
import { type Instance, saveInstances } from './instances.ts';
import { createPendingWrites } from './pending-writes.ts';
import { collectTimers, takeReaction } from './reactions.ts';

/**
 * Folds instances anew from the events that the log has, after it has lost some that they had taken in. Their intents are
 * not stored again: those of the events that are left were stored when they were taken in. Timers are set again.
 */
export const createRefold = (managers: readonly Process[], keys: readonly InstanceKey[]) => {
  const wanted = new Set(keys.map(nameOf));
  const known = new Map<string, Instance>();
  const changed = new Set<Instance>();
  const pending = createPendingWrites();

  const take = (manager: Process, instance: Instance, event: RecordedEvent): void => {
    let reacted: Reacted | null;
    try {
      reacted = reactTo(manager, instance, event);
    } catch {
      // It was parked there before, or is skipped as an operator would: the others must not wait for it.
      return;
    }
    if (!reacted) return;
    takeReaction(manager, instance, event, reacted);
    collectTimers(pending, instance, reacted);
    for (const name of namesOf(instance)) known.set(name, instance);
    changed.add(instance);
  };

  return {
    /** To be called for every event of the log, in its order. */
    take(event: RecordedEvent): void {
      for (const delivery of deliveriesOf(managers, event)) {
        const instance = receiverOf(known, delivery);
        if (instance && wanted.has(nameOf(instance)) && !hasSeen(instance, event))
          take(delivery.manager, instance, event);
      }
    },
    /** Stores the instances, whose rows and timers must be gone by now. Those that no event is left of are not stored. */
    async write(client: ClientBase): Promise<number> {
      await saveInstances(client, [...changed]);
      await pending.write(client);
      return changed.size;
    },
  };
};
