import { WorkflowMetadata } from './asynchronous.ts';

/** A call whose answer only says that the work was accepted. Messages bring the result. */
export const accepting = { timeout_ms: 30_000, asynchronous: true, answer: WorkflowMetadata } as const;

/** A call that only reads. */
export const reading = { timeout_ms: 10_000, asynchronous: false } as const;

/** A call that is answered once the change is made. It gets more time, since a cancellation may wait. */
export const changing = { timeout_ms: 30_000, asynchronous: false } as const;

/** One segment of a path, with its special characters escaped. */
export const segment = encodeURIComponent;

/** The whole input as body or query. */
export const whole = <Input>(input: Input): Input => input;
