import { ZodError } from 'zod';
import { type CallAnswer, type CallInput, type CallName, parseAnswer, toRequest } from '../contracts/calls.ts';
import { HttpRefusal } from './http/problem.ts';
import type { RequestFacts } from './request-facts.ts';
import type { ApiServices } from './services.ts';

/**
 * Calls another service and parses its answer. Throws `ServiceFailure`, or `HttpRefusal` where the answer does not
 * match the contract.
 */
export const callService = async <Name extends CallName>(
  { invoker }: Pick<ApiServices, 'invoker'>,
  { name, input, facts }: { name: Name; input: CallInput<Name>; facts: RequestFacts },
): Promise<CallAnswer<Name>> => {
  const answer = await invoker.invoke({ ...toRequest(name, input), traceparent: facts.traceparent });
  try {
    return parseAnswer(name, answer);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw new HttpRefusal('service-refused', 'A required service sent an invalid answer.');
  }
};
