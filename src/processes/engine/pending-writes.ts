import type { ClientBase } from 'pg';
import type { InstanceKey } from './instance-key.ts';
import { addIntents, type NewIntent } from './intent-queue.ts';
import { dropAllTimers, dropTimers, type NewTimer, setTimers } from './timers.ts';

/**
 * What the reactions to a batch of events store. It is written with a few statements for the whole batch, because a
 * statement for each would make the one reader of the log wait for the database most of the time.
 */
export const createPendingWrites = () => {
  let intents: NewIntent[] = [];
  const waiting: InstanceKey[] = [];
  /** By instance, then by the name of the timer; null: it is dropped. */
  const timers = new Map<string, { key: InstanceKey; dropped: boolean; named: Map<string, NewTimer | null> }>();

  const timersOf = ({ process, instance_id }: InstanceKey) => {
    const name = `${process}:${instance_id}`;
    const known = timers.get(name);
    if (known) return known;
    const none = { key: { process, instance_id }, dropped: false, named: new Map<string, NewTimer | null>() };
    timers.set(name, none);
    return none;
  };

  const discard = (): void => {
    intents = [];
    timers.clear();
  };

  return {
    addIntents(more: readonly NewIntent[]): void {
      intents.push(...more);
    },
    setTimer(timer: NewTimer): void {
      timersOf(timer).named.set(timer.timer, timer);
    },
    dropTimer(key: InstanceKey, timer: string): void {
      timersOf(key).named.set(timer, null);
    },
    dropTimers(key: InstanceKey): void {
      const of = timersOf(key);
      of.dropped = true;
      of.named.clear();
    },
    /** Writes what was collected since the last time, the intents in their order. */
    async write(client: ClientBase): Promise<void> {
      const changes = [...timers.values()];
      const named = changes.flatMap(({ key, named }) =>
        [...named].map(([timer, set]) => ({ process: key.process, instance_id: key.instance_id, timer, set })),
      );
      waiting.push(...(await addIntents(client, intents)));
      await dropAllTimers(
        client,
        changes.filter(({ dropped }) => dropped).map(({ key }) => key),
      );
      await dropTimers(
        client,
        named.filter(({ set }) => set === null).map(({ set: _none, ...key }) => key),
      );
      await setTimers(
        client,
        named.flatMap(({ set }) => set ?? []),
      );
      discard();
    },
    /** The instances for which `markFirst` is due after the commit. */
    waiting: waiting as readonly InstanceKey[],
    /** Forgets what was collected. */
    discard,
  };
};
export type PendingWrites = ReturnType<typeof createPendingWrites>;
