/** A fact whose type or version only newer code knows. The fact is valid, and newer code can read it. */
export class FactFromNewerVersion extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FactFromNewerVersion';
  }
}
