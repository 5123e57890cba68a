import type { NotificationMetadata } from '../../contracts/asynchronous.ts';

export interface StepDescription {
  id: string;
  title: string;
  description: string;
}

/** The result of a step: the sentence shown to the user, and what the next step needs. */
export interface StepOutcome<Value> {
  message: string;
  value: Value;
}

export interface Performing {
  /** Aborts where the workflow is cancelled or the service stops: work gives up soon, and throws. */
  signal: AbortSignal;
  /** Reports STARTED, does the work, reports COMPLETED; or FAILED, which ends the workflow. */
  step<Value>(id: string, work: () => Promise<StepOutcome<Value>>): Promise<Value>;
}

/** How one request is carried out. All its work is done in steps, which throw `StepFailed`. */
export interface Plan {
  /** `workflow_name` of the answer, for example `create_deployment`. */
  name: string;
  /** `payload.type` of the messages, for example `deploy_model`. */
  type: string;
  /** The subscriber of the messages. */
  to: NotificationMetadata;
  /** Of the messages that belong to no step; null: they have their event for a title. */
  title: string | null;
  eta_minutes: number;
  steps: readonly StepDescription[];
  /** Returns the result. May run again after a stop or a crash, so a repeat must change nothing. */
  perform(performing: Performing): Promise<unknown>;
  /** The result of a workflow that failed. */
  failure_result: unknown;
  /** Removes everything that the steps have created, after a failure or a cancellation. */
  undo(): Promise<void>;
}
