import type { z } from 'zod';
import { budclusterCalls } from './budcluster-calls.ts';
import { budmetricsCalls } from './budmetrics-calls.ts';
import { budmodelCalls } from './budmodel-calls.ts';
import { budsimCalls } from './budsim-calls.ts';
import type { CallRequest } from './call.ts';
import { notifyCalls } from './notify-calls.ts';

/** Every operation of another service that BudApp uses, by name. Each service lists its own. */
export const calls = {
  ...budsimCalls,
  ...budclusterCalls,
  ...budmodelCalls,
  ...budmetricsCalls,
  ...notifyCalls,
} as const;

type Calls = typeof calls;
export type CallName = keyof Calls;
export type CallInput<Name extends CallName> = z.input<Calls[Name]['input']>;
export type CallAnswer<Name extends CallName> = ReturnType<Calls[Name]['parseAnswer']>;

export const isCallName = (name: string): name is CallName => Object.hasOwn(calls, name);

/** The request to send. Throws `ZodError` where the input breaks the contract. */
export const toRequest = <Name extends CallName>(name: Name, input: CallInput<Name>): CallRequest =>
  calls[name].toRequest(input);

const parsers: { [Name in CallName]: { parseAnswer(answer: unknown): CallAnswer<Name> } } = calls;

/** The answer as the contract describes it. Throws `ZodError` where it breaks the contract. */
export const parseAnswer = <Name extends CallName>(name: Name, answer: unknown): CallAnswer<Name> =>
  parsers[name].parseAnswer(answer);
