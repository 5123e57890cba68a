import { existsSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { keepCompiledCode } from './wiring/compile-cache.ts';

keepCompiledCode();
const { ConfigError, loadConfig } = await import('./config/config.ts');
const { explain } = await import('./failures/failure-text.ts');
const { armKillPoint } = await import('./resilience/kill-point.ts');
const { createLogger } = await import('./telemetry.ts');
const { startBudApp } = await import('./wiring/budapp.ts');
const { closeAtSignal } = await import('./wiring/close-at-signal.ts');
const { greeting } = await import('./wiring/greeting.ts');

/** Aborted by SIGTERM or SIGINT during the start, which then must not be reported as failed. */
const stopping = new AbortController();

const main = async (): Promise<void> => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = loadConfig();
  if (config.kill_point) armKillPoint(config.kill_point.point, config.kill_point.passes);
  const logger = createLogger({ level: config.log_level });
  const starting = startBudApp(config, logger, stopping.signal);
  closeAtSignal(starting, logger, stopping);
  const budapp = await starting;
  console.log(greeting(config, budapp));
  process.send?.({ ready: { url: budapp.url } });
  // Node itself writes it at an orderly end only.
  flushCompileCache();
};

main().catch((error: unknown) => {
  if (stopping.signal.aborted) return;
  console.error(error instanceof ConfigError ? error.message : `BudApp could not start: ${explain(error)}`);
  process.exit(1);
});
