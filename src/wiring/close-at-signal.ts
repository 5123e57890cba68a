import type { Closable } from '../ports/closable.ts';
import type { Logger } from '../telemetry.ts';

/** Longer than any orderly shutdown takes. A container runtime would kill the process soon after that anyway. */
const CLOSE_TIMEOUT_MS = 20_000;

/**
 * Shuts down in order at the first SIGTERM or SIGINT, also at one that comes during the start: the signal aborts
 * `stopping`, where it is given, and a start that fails because of that counts as shut down. The end of the process that
 * forked this one counts as a signal, too.
 */
export const closeAtSignal = (starting: Promise<Closable>, logger: Logger, stopping?: AbortController): void => {
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('the shutdown took too long and was cut off; the next start cleans up');
      process.exit(1);
    }, CLOSE_TIMEOUT_MS).unref();
    try {
      stopping?.abort();
      const started = await starting.catch((error: unknown) => {
        if (stopping === undefined) throw error;
        return null;
      });
      await started?.close();
      process.exit(0);
    } catch (error) {
      logger.error({ err: error }, 'the shutdown failed; the next start cleans up');
      process.exit(1);
    }
  };
  const closeOnce = (signal: NodeJS.Signals): void => {
    process.off('SIGTERM', closeOnce).off('SIGINT', closeOnce);
    // A second signal must not interrupt the shutdown.
    process.on('SIGTERM', () => undefined).on('SIGINT', () => undefined);
    void close(signal);
  };
  process.on('SIGTERM', closeOnce).on('SIGINT', closeOnce);
  // The demo that forked this process was killed: nobody is left to send a signal.
  process.once('disconnect', () => closeOnce('SIGTERM'));
  // The channel to the parent must not keep a process alive whose start has failed.
  process.channel?.unref();
};
