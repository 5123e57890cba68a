import type { Context } from 'mocha';
import { NotToBeHad } from './system.ts';

/** What a suite cannot do without: where it cannot be had here, the suite is skipped, and says why. */
export const orSkip = async <T>(suite: Context, needed: Promise<T>): Promise<T> => {
  try {
    return await needed;
  } catch (error) {
    if (!(error instanceof NotToBeHad)) throw error;
    process.emitWarning(`${suite.test?.parent?.title ?? 'a suite'} is skipped: ${error.message}`);
    return suite.skip();
  }
};
