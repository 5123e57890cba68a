import { ZodError } from 'zod';
import { systemCaller } from '../../commands/access.ts';
import { findCommand } from '../../commands/catalog.ts';
import type { HandleCommand } from '../../commands/engine/handle.ts';
import { WorkflowMetadata } from '../../contracts/asynchronous.ts';
import { calls } from '../../contracts/calls.ts';
import { Rejected } from '../../errors.ts';
import { commandIdOf, type TenantId } from '../../events/ids.ts';
import type { Reason } from '../../events/values.ts';
import { failureText } from '../../failures/failure-text.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { ServiceFailure, type ServiceInvoker } from '../../ports/service-invoker.ts';
import type { Vault } from '../../ports/vault.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import type { CallIntent, ClustersFound, CommandIntent, LookupClustersIntent } from '../process.ts';
import type { ClaimedIntent } from './intent-queue.ts';
import { openSealed, SecretErased } from './open-sealed.ts';
import { nameOf } from './parked-work.ts';

/** The outcome of one attempt: the intent is done, or must be attempted again. */
export type Attempt = { done: string } | { again: string; retryable: 'until-given-up' | 'a-few-times' };

export interface PerformOptions {
  handle: HandleCommand;
  invoker: ServiceInvoker;
  vault: Vault;
  objects: Pick<ObjectStore, 'remove'>;
  /** The tenant's clusters among these ids of the cluster service. */
  findClustersByBudId(budClusterIds: readonly string[], tenantId: TenantId): Promise<ClustersFound>;
}

/** The number of attempts after an unexpected error, which may be a defect that waiting does not cure. Then it is parked. */
export const FEW_ATTEMPTS = 8;

const keyOf = (intent: ClaimedIntent): string => `${intent.process}:${intent.event_id}:${intent.n}`;

/** Performs intents, one attempt at a time and outside any transaction. */
export const createPerformer = ({ handle, invoker, vault, objects, findClustersByBudId }: PerformOptions) => {
  /** Every attempt of an intent sends the same command id, so the log stores the command's facts once. */
  const send = (intent: ClaimedIntent, part: string, { command, data }: { command: string; data: unknown }) => {
    const found = findCommand(command);
    if (!found) throw new Error(`there is no command ${command}`);
    const { process: name, tenant_id, event_id, meta } = intent;
    return handle(found, data, {
      caller: systemCaller(tenant_id, { type: 'process', id: name, name }),
      command_id: commandIdOf(`${keyOf(intent)}${part}`),
      correlation_id: meta.correlation_id,
      causation_id: event_id,
      may_repeat: true,
      ...(meta.traceparent === undefined ? {} : { traceparent: meta.traceparent }),
    });
  };

  /** Records the outcome in the workflow. An instance that follows no workflow does not wait for it. */
  const record = async (intent: ClaimedIntent, part: string, command: { command: string; data: object }) => {
    const { workflow_id } = intent;
    if (workflow_id === null) return;
    await send(intent, part, { command: command.command, data: { workflow_id, ...command.data } });
  };

  const recordAnswer = (
    intent: ClaimedIntent,
    data: { call: string; service_workflow_id: string | null; answer?: unknown },
  ) => record(intent, ':answer', { command: 'RecordCallAnswer', data });

  const recordFailure = (intent: ClaimedIntent, reason: Reason, status: number | null = null) => {
    const { intent: effect, attempts } = intent;
    return record(intent, ':failure', {
      command: 'RecordCallFailure',
      data: { call: nameOf(effect), attempts: Math.max(1, attempts), reason, ...(status === null ? {} : { status }) },
    });
  };

  const recordRefusal = (intent: ClaimedIntent, reason: Reason) =>
    record(intent, ':refusal', {
      command: 'RecordCommandRefusal',
      data: { command: nameOf(intent.intent), reason },
    });

  const performCommand = async (intent: ClaimedIntent, { command, data }: CommandIntent): Promise<Attempt> => {
    try {
      await send(intent, '', { command, data });
      return { done: 'done' };
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      if (error.kind === 'unavailable') return { again: failureText(error), retryable: 'until-given-up' };
      // The command is valid, but lost every race against other writers: a later one is won.
      if (error.code === 'concurrent-change') return { again: failureText(error), retryable: 'until-given-up' };
      // A timer does not wait for what the instance does first. After an outage it may be due before its workflow is
      // started, and a refusal would soon end that workflow with a reason that is not true.
      if (error.code === 'workflow-not-found') return { again: failureText(error), retryable: 'until-given-up' };
      // People read the reason, and the domain writes its refusals for them.
      await recordRefusal(intent, { code: error.code, message: failureText(error) });
      return { done: `refused: ${error.code}` };
    }
  };

  const failCall = async (intent: ClaimedIntent, reason: Reason, status: number | null = null): Promise<Attempt> => {
    await recordFailure({ ...intent, attempts: intent.attempts + 1 }, reason, status);
    return { done: `failed: ${reason.code}` };
  };

  const performCall = async (intent: ClaimedIntent, { call, input }: CallIntent): Promise<Attempt> => {
    const contract = calls[call];
    let hasSecret = true;
    try {
      const { opened, secret } = await openSealed(input, vault);
      hasSecret = secret;
      const request = contract.toRequest(opened);
      const raw = await invoker.invoke({ ...request, traceparent: intent.meta.traceparent });
      killPoint('dispatcher: call answered, not recorded');
      const answer = contract.parseAnswer(raw);
      if (contract.asynchronous) {
        const { workflow_id } = WorkflowMetadata.parse(answer);
        await recordAnswer(intent, { call, service_workflow_id: workflow_id });
      } else {
        await recordAnswer(intent, { call, service_workflow_id: null, answer });
      }
      return { done: 'answered' };
    } catch (error) {
      // A service may quote its request in an error, so nothing is repeated of a call that carried a secret.
      const withoutSecret = (text: string) => (hasSecret ? `${call} did not succeed` : text);
      if (error instanceof ServiceFailure) {
        const message = withoutSecret(failureText(error));
        if (error.retryable) return { again: message, retryable: 'until-given-up' };
        return failCall(intent, { code: 'call-refused', message }, error.status);
      }
      if (error instanceof ZodError) {
        return failCall(intent, {
          code: 'contract-broken',
          message: `${call}: what was sent or answered does not fit`,
        });
      }
      if (error instanceof Rejected && error.code === 'append-too-large') {
        return failCall(intent, { code: 'answer-too-large', message: `${call}: the answer is too large for the log` });
      }
      if (error instanceof SecretErased)
        return failCall(intent, { code: 'secret-erased', message: failureText(error) });
      throw hasSecret && !(error instanceof Rejected) ? new Error(withoutSecret('')) : error;
    }
  };

  const performLookup = async (intent: ClaimedIntent, { bud_cluster_ids }: LookupClustersIntent): Promise<Attempt> => {
    const answer = await findClustersByBudId(bud_cluster_ids, intent.tenant_id);
    await recordAnswer(intent, { call: 'lookup-clusters', service_workflow_id: null, answer });
    return { done: 'answered' };
  };

  const attempt = (intent: ClaimedIntent): Promise<Attempt> => {
    const effect = intent.intent;
    switch (effect.kind) {
      case 'command':
        return performCommand(intent, effect);
      case 'call':
        return performCall(intent, effect);
      case 'lookup-clusters':
        return performLookup(intent, effect);
      case 'remove-object':
        return objects.remove(effect.key).then(() => ({ done: 'removed' }));
    }
  };

  return {
    /** Makes one attempt. Never throws: an unexpected error is answered as `again`. */
    async attempt(intent: ClaimedIntent): Promise<Attempt> {
      try {
        return await attempt(intent);
      } catch (error) {
        const unavailable = error instanceof Rejected && error.kind === 'unavailable';
        return { again: failureText(error), retryable: unavailable ? 'until-given-up' : 'a-few-times' };
      }
    },
    /** Records in the workflow that no further attempt is made. */
    async giveUp(intent: ClaimedIntent): Promise<void> {
      const message = `${nameOf(intent.intent)}: ${intent.last_error ?? 'there was no time for an attempt'}`;
      const reason = intent.skipped
        ? { code: 'skipped-by-operator', message: `${message} (an operator skipped it)` }
        : { code: 'attempts-used-up', message };
      if (intent.intent.kind === 'command') await recordRefusal(intent, reason);
      else await recordFailure(intent, reason);
    },
    nameOf: (intent: ClaimedIntent): string => nameOf(intent.intent),
  };
};

export type Performer = ReturnType<typeof createPerformer>;
