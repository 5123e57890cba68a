import type { Closable } from '../ports/closable.ts';
import type { Logger } from '../telemetry.ts';

/** Longer than any orderly end takes; whoever waits for us (a container, say) would lose patience too. */
const CLOSE_TIMEOUT_MS = 20_000;

/**
 * Ends in order at the first SIGTERM or SIGINT, also at one that comes while it is still starting: `waiting`, where it is
 * given, is aborted then, and a start that fails of it counts as ended. The end of the process that forked this one
 * counts as a signal, too.
 */
export const closeAtSignal = (starting: Promise<Closable>, logger: Logger, waiting?: AbortController): void => {
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('did not stop in time; the next start tidies up');
      process.exit(1);
    }, CLOSE_TIMEOUT_MS).unref();
    try {
      waiting?.abort();
      const started = await starting.catch((error: unknown) => {
        if (waiting === undefined) throw error;
        return null;
      });
      await started?.close();
      process.exit(0);
    } catch (error) {
      logger.error({ err: error }, 'did not stop in order; the next start tidies up');
      process.exit(1);
    }
  };
  const closeOnce = (signal: NodeJS.Signals): void => {
    process.off('SIGTERM', closeOnce).off('SIGINT', closeOnce);
    // A second signal must not end us half-way.
    process.on('SIGTERM', () => undefined).on('SIGINT', () => undefined);
    void close(signal);
  };
  process.on('SIGTERM', closeOnce).on('SIGINT', closeOnce);
  // Forked by a demo that was killed: nobody is left who would end us.
  process.once('disconnect', () => closeOnce('SIGTERM'));
  // Waiting for that must not keep a process alive whose start has failed.
  process.channel?.unref();
};
