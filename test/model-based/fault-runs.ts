import { calls, isCallName } from '../../src/contracts/calls.ts';
import { violationsInTheEnd } from './invariants.ts';
import type { HeardReaction } from './memory-engine.ts';
import { prepare, settle } from './run.ts';
import { rowOf, SCENARIOS, type Scenario } from './scenarios.ts';
import type { Fault } from './simulated-services.ts';
import { createWorld, type World } from './world.ts';

type AnyFault = Fault | 'wiped';

/** What each fault is, in the order of the table; `job`: only a call whose result comes by message can have it. */
export const FAULT_TEXTS: Readonly<Record<AnyFault, { text: string; job: boolean }>> = {
  slow: { text: 'every answer takes almost as long as the time limit allows', job: false },
  frozen: { text: 'the service takes connections and answers nothing, from this call on', job: false },
  failing: { text: 'every attempt is answered with 500, and nothing is done', job: false },
  refusing: { text: 'the call is refused with 400', job: false },
  nonsense: { text: 'the work is done, and the answer does not fit the contract', job: false },
  'lost-answer': { text: 'the work is done, and no answer arrives', job: false },
  forgetful: { text: 'the call is accepted and forgotten', job: true },
  'no-result': { text: 'every step succeeds, and the result is empty', job: true },
  'unreadable-result': { text: 'every step succeeds, and the result cannot be read', job: true },
  'reports-failure': { text: 'the service reports that its last step failed', job: true },
  'result-first': { text: 'all messages arrive before the answer', job: true },
  dead: { text: 'the service cannot be reached, from this call on', job: false },
  wiped: { text: 'the service loses everything that it knew, just before this call', job: false },
};
export const ALL_FAULTS = Object.keys(FAULT_TEXTS).filter((name): name is AnyFault => name in FAULT_TEXTS);

/** A call that a process makes, with the first scenario in which it makes it. */
export interface Step {
  process: string;
  call: string;
  scenario: Scenario;
}

export interface FaultRow {
  fault: AnyFault;
  /** How the workflow ended while the fault went on; `goes on`: it did not within the time. */
  workflow: string;
  reason: string;
  /** The status of the resource at that moment, and once the service is well again. */
  then: string;
  afterwards: string;
  /** The claims that do not hold in the end. */
  left: string;
}

type Hear = (heard: HeardReaction) => void;

/** How long a fault goes on at most: longer than every deadline. */
const FAULT_SECONDS = 2 * 3600;
const STEP_SECONDS = 60;

const callsOf = (world: World, first: number): { process: string; call: string; workflow_id: string | null }[] =>
  world.engine.store.intents
    .slice(first)
    .flatMap(({ process, intent, workflow_id }) =>
      intent.kind === 'call' ? [{ process, call: intent.call, workflow_id }] : [],
    );

/** The calls that the processes make where nothing is wrong. */
export const findSteps = async (onReaction: Hear): Promise<Step[]> => {
  const steps: Step[] = [];
  for (const scenario of SCENARIOS) {
    const world = createWorld({ onReaction });
    await prepare(world);
    const first = world.engine.store.intents.length;
    await scenario.begin(world);
    await settle(world);
    for (const { process, call } of callsOf(world, first)) {
      if (steps.some((step) => step.process === process && step.call === call)) continue;
      steps.push({ process, call, scenario });
    }
  }
  return steps;
};

export const canHave = (call: string, fault: AnyFault): boolean =>
  !FAULT_TEXTS[fault].job || (isCallName(call) && calls[call].asynchronous);

const reasonIn = (row: Readonly<Record<string, unknown>> | undefined): string => {
  const reason = row?.reason;
  const code: unknown = typeof reason === 'object' && reason !== null ? Reflect.get(reason, 'code') : null;
  return typeof code === 'string' ? code : '';
};

/** Lets time pass until the workflow that makes the call has ended, or the fault has lasted long enough. */
const passUntilOver = async (world: World, isOver: () => boolean): Promise<void> => {
  for (let passed = 0; passed < FAULT_SECONDS && !isOver(); passed += STEP_SECONDS) {
    const end = world.now() + STEP_SECONDS * 1000;
    for (let step = 0; step < 50 && world.now() < end; step += 1) {
      await world.work(100);
      const left = (end - world.now()) / 1000;
      if (left > 0 && !world.advanceToNext(left)) world.advance(left);
    }
    await world.watch();
  }
};

/** What comes of one fault at one step. */
export const runFault = async (step: Step, fault: AnyFault, onReaction: Hear): Promise<FaultRow> => {
  const world = createWorld({ onReaction });
  await prepare(world);
  const first = world.engine.store.intents.length;
  world.services.breakCall(step.call, fault);
  await step.scenario.begin(world);
  const workflow = () => {
    const made = callsOf(world, first).find(({ process, call }) => process === step.process && call === step.call);
    return world.rows('workflows').find(({ id }) => id === made?.workflow_id);
  };
  await passUntilOver(world, () => world.services.hasBegun() && (workflow()?.status ?? 'running') !== 'running');
  await world.work(100);
  const status = String(workflow()?.status ?? 'not begun');
  const then = String(rowOf(world, step.scenario)?.status);
  const reason = reasonIn(workflow());
  await settle(world);
  const left = [...new Set(violationsInTheEnd(world).map(({ claim }) => claim))];
  return {
    fault,
    workflow: status === 'running' ? 'goes on' : status,
    reason,
    then,
    afterwards: String(rowOf(world, step.scenario)?.status),
    left: left.join(', '),
  };
};
