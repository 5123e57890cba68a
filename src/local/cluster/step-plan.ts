import type { NotificationMetadata } from '../../contracts/asynchronous.ts';
import type { Plan, StepDescription } from '../service/plan.ts';

export interface Step extends StepDescription {
  /**
   * Returns a sentence about the result. Throws `StepFailed`. May run again after a crash, so a repeat must change
   * nothing; ends soon when `signal` aborts.
   */
  run(signal: AbortSignal): Promise<string>;
}

/** A plan of sequential steps, which share data through the state of the cluster. */
export interface StepPlan extends Pick<Plan, 'name' | 'type' | 'undo'> {
  title: string;
  steps: readonly Step[];
  /** After the last step. */
  result(): Promise<unknown>;
}

const ETA_MINUTES = 1;

export const toPlan = ({ steps, result, ...plan }: StepPlan, to: NotificationMetadata): Plan => ({
  ...plan,
  to,
  steps,
  eta_minutes: ETA_MINUTES,
  failure_result: null,
  async perform({ signal, step }) {
    for (const { id, run } of steps) await step(id, async () => ({ message: await run(signal), value: undefined }));
    return result();
  },
});
