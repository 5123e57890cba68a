/** A fact of a type, or of a version of it, that only newer code knows: no fault of the fact, and newer code can read it. */
export class FactFromNewerVersion extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FactFromNewerVersion';
  }
}
