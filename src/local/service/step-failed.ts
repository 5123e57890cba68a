/** The work was refused for a reason that the user is told; everything else that is thrown is a fault of ours. */
export class StepFailed extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'StepFailed';
  }
}
