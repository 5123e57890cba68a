import { existsSync } from 'node:fs';
import { ConfigError, loadConfig } from './config/config.ts';
import { explain } from './failures/failure-text.ts';
import { createLogger } from './telemetry.ts';
import { startBudApp } from './wiring/budapp.ts';
import { closeAtSignal } from './wiring/close-at-signal.ts';
import { greeting } from './wiring/greeting.ts';

/** Aborted by a signal to end: whoever asks for the end need not be told that the start failed of it. */
const waiting = new AbortController();

const main = async (): Promise<void> => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = loadConfig();
  const logger = createLogger({ level: config.log_level });
  const starting = startBudApp(config, logger, waiting.signal);
  closeAtSignal(starting, logger, waiting);
  const budapp = await starting;
  console.log(greeting(config, budapp));
  process.send?.({ ready: { url: budapp.url } });
};

main().catch((error: unknown) => {
  if (waiting.signal.aborted) return;
  console.error(error instanceof ConfigError ? error.message : `BudApp could not start: ${explain(error)}`);
  process.exit(1);
});
