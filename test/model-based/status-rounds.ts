import { systemCaller } from '../../src/commands/access.ts';
import type { HandleCommand } from '../../src/commands/engine/handle.ts';
import { Rejected } from '../../src/errors.ts';
import { CommandId, newId } from '../../src/events/ids.ts';
import type { Proof, ProofSubject, Proofs } from '../../src/ports/proofs.ts';
import type { ServiceInvoker } from '../../src/ports/service-invoker.ts';
import { createConfirmation } from '../../src/processes/watch/confirmation.ts';
import { createLook } from '../../src/processes/watch/look.ts';
import { createRound, type RoundOptions } from '../../src/processes/watch/round.ts';
import { createSilence } from '../../src/processes/watch/silence.ts';

const SILENCE_MS = 45_000;
const GRACE_MS = 20_000;
const CONFIRM_ROUNDS = 2;
const WATCH = { type: 'process', id: 'status-watch', name: 'status-watch' } as const;

export const createMemoryProofs = (now: () => number): Proofs => {
  const proofs = new Map<string, { at: number; count: number; subject: ProofSubject }>();
  const toProof = ({ at, count, subject }: { at: number; count: number; subject: ProofSubject }): Proof => ({
    ...subject,
    at: new Date(at).toISOString(),
    age_ms: now() - at,
    count: String(count),
  });
  return {
    record: async (subjects) => {
      for (const subject of subjects) {
        const { count = 0 } = proofs.get(subject.id) ?? {};
        proofs.set(subject.id, { at: now(), count: count + 1, subject });
      }
    },
    find: async ({ id }) => {
      const found = proofs.get(id);
      return found ? toProof(found).at : null;
    },
    list: async () => [...proofs.values()].map(toProof),
    forget: async (subjects) => {
      for (const { id } of subjects) proofs.delete(id);
    },
  };
};

interface StatusRoundOptions extends Pick<RoundOptions, 'readModels' | 'proofs'> {
  handle: HandleCommand;
  invoker: ServiceInvoker;
  /** Milliseconds; also where a clock is meant that only goes forward. */
  now: () => number;
}

/** The rounds of the status watch, as one life of BudApp makes them; what it remembers ends with that life. */
export const createStatusRounds = ({ handle, invoker, now, readModels, proofs }: StatusRoundOptions) => {
  const send: RoundOptions['perform'] = async (orders) => {
    for (const { command, data, tenant_id } of orders) {
      const command_id = newId(CommandId);
      const caller = systemCaller(tenant_id, WATCH);
      try {
        await handle(command, data, { caller, command_id, correlation_id: command_id });
      } catch (error) {
        if (!(error instanceof Rejected)) throw error;
      }
    }
  };
  return createRound({
    readModels,
    proofs,
    look: createLook({ invoker, call_timeout_ms: SILENCE_MS / 2 }),
    silence: createSilence({ silence_ms: SILENCE_MS, grace_ms: GRACE_MS, now }),
    confirmation: createConfirmation(CONFIRM_ROUNDS),
    perform: send,
    now: () => new Date(now()).toISOString(),
    concurrency: 1,
  });
};
