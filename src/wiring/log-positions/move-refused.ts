/** The positions in the database could not be moved; nothing was changed in it. */
export class MoveRefused extends Error {
  constructor(problem: string, advice: string) {
    super(`Nothing was moved: ${problem} ${advice}`);
    this.name = 'MoveRefused';
  }
}
