/** A step failed for a reason that the user gets to see. Any other error is a fault of the service. */
export class StepFailed extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'StepFailed';
  }
}
