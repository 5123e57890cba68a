import { existsSync } from 'node:fs';
import { ConfigError, loadConfig } from './config.ts';
import { createLogger, type Logger } from './telemetry.ts';
import { type BudApp, startBudApp } from './wiring/budapp.ts';
import { greeting } from './wiring/greeting.ts';

/** Longer than any orderly end takes; whoever waits for us (a container, say) would lose patience too. */
const CLOSE_TIMEOUT_MS = 20_000;

/** What a person is told who starts it with something wrong: the message, and what is behind it, but no stack. */
const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `\n  because: ${explain(error.cause)}` : '';
  return `${error.message}${cause}`;
};

/** Ends in order at the first SIGTERM or SIGINT, also at one that comes while it is still starting. */
const closeAtSignal = (starting: Promise<BudApp>, logger: Logger): void => {
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    logger.info({ signal }, 'stopping');
    setTimeout(() => {
      logger.error('did not stop in time; the next start tidies up');
      process.exit(1);
    }, CLOSE_TIMEOUT_MS).unref();
    try {
      await (await starting).close();
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
};

const main = async (): Promise<void> => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = loadConfig();
  const logger = createLogger({ level: config.log_level });
  const starting = startBudApp(config, logger);
  closeAtSignal(starting, logger);
  const budapp = await starting;
  console.log(greeting(config, budapp));
  process.send?.({ ready: { url: budapp.url } });
};

main().catch((error: unknown) => {
  console.error(error instanceof ConfigError ? error.message : `BudApp could not start: ${explain(error)}`);
  process.exit(1);
});
