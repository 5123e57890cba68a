import { existsSync } from 'node:fs';
import { ConfigError, loadConfig } from './config/config.ts';
import { explain } from './failures/failure-text.ts';
import { createLogger } from './telemetry.ts';
import { startBudApp } from './wiring/budapp.ts';
import { closeAtSignal } from './wiring/close-at-signal.ts';
import { greeting } from './wiring/greeting.ts';

/** Aborted by SIGTERM or SIGINT during the start, which then must not be reported as failed. */
const stopping = new AbortController();

const main = async (): Promise<void> => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = loadConfig();
  const logger = createLogger({ level: config.log_level });
  const starting = startBudApp(config, logger, stopping.signal);
  closeAtSignal(starting, logger, stopping);
  const budapp = await starting;
  console.log(greeting(config, budapp));
  process.send?.({ ready: { url: budapp.url } });
};

main().catch((error: unknown) => {
  if (stopping.signal.aborted) return;
  console.error(error instanceof ConfigError ? error.message : `BudApp could not start: ${explain(error)}`);
  process.exit(1);
});
