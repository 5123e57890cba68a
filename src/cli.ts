import { existsSync } from 'node:fs';
import { keepCompiledCode } from './wiring/compile-cache.ts';

keepCompiledCode();
const { Command } = await import('commander');
const { ConfigError, inheritedEnvironment, loadConfig } = await import('./config/config.ts');
const { explain } = await import('./failures/failure-text.ts');
const { createLogger } = await import('./telemetry.ts');

// Each command loads its modules when it runs: most of them are needed by that command only, and those of the demo and
// the local services need development dependencies.

interface DemoFlags {
  url?: string;
  email?: string;
  password?: string;
}

const program = new Command('budapp').description('BudApp from the command line. The server is: npm start');

program
  .command('demo')
  .description('Run the main job end to end: upload, deploy, infer, recover, delete, replay')
  .option('--url <url>', 'use a running BudApp instead of starting one')
  .option('--email <email>', 'e-mail address for --url (default: ADMIN_EMAIL)')
  .option('--password <password>', 'password for --url (default: ADMIN_PASSWORD)')
  .action(async (flags: DemoFlags) => {
    const { runDemo } = await import('./demo/demo.ts');
    const { admin } = loadConfig();
    const environment = inheritedEnvironment();
    await runDemo({ ...admin, ...flags, environment }, console.log);
  });

program
  .command('migrate')
  .description('Migrate the schema of Postgres, and do nothing else')
  .action(async () => {
    const { migrateDatabase } = await import('./wiring/migrate-database.ts');
    const config = loadConfig();
    const ran = await migrateDatabase(config, createLogger({ level: config.log_level }));
    console.log(ran.length === 0 ? 'The schema is up to date.' : `Migrated: ${ran.join(', ')}`);
  });

program
  .command('local-service <name>')
  .description('Serve one stand-in (budcluster, budmodel, budsim or budmetrics) in its own process')
  .requiredOption('--port <port>', 'port to listen on')
  .option('--host <host>', 'address to listen on', '127.0.0.1')
  .option('--public-url <url>', 'URL at which others reach it (default: http://<host>:<port>)')
  .option('--data-dir <folder>', 'folder for its data (default: .data/<name>)')
  .action(async (name: string, flags: { port: string; host: string; publicUrl?: string; dataDir?: string }) => {
    const { runLocalService } = await import('./wiring/local-service/run-local-service.ts');
    const { port, host, publicUrl: public_url, dataDir: data_dir = `.data/${name}` } = flags;
    await runLocalService(name, { port, host, public_url, data_dir });
  });

interface LogCopyFlags {
  from: string;
  to: string;
  batch: string;
  verify?: true;
  follow?: true;
  cutOver?: true;
  resetCheckpoints?: true;
}

const log = program.command('log').description('Work on the event log');

log
  .command('copy')
  .description('Copy the log to another system, compare both, and cut over: docs/operations.md, "Moving between logs"')
  .requiredOption(
    '--from <log>',
    'postgres, eventstore, or an address (postgres://, esdb://, esdb+discover://; kurrentdb:// and kdb:// are the same)',
  )
  .requiredOption('--to <log>', 'as --from; empty, or with the beginning of the same history')
  .option('--batch <events>', 'events per append', '500')
  .option('--verify', 'only compare, copy nothing')
  .option('--follow', 'continue with new events until Ctrl-C')
  .option('--cut-over', 'afterwards move the checkpoints of this installation to the target; BudApp must be stopped')
  .option('--reset-checkpoints', 'with --cut-over: rebuild the read models instead of moving them')
  .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 the logs differ, 3 the source has new events since.')
  .action(async ({ from, to, ...flags }: LogCopyFlags) => {
    const { runLogCopy } = await import('./wiring/log-copy/run-log-copy.ts');
    const ending = new AbortController();
    process.once('SIGINT', () => ending.abort()).once('SIGTERM', () => ending.abort());
    const request = {
      ...{ from, to },
      batch: Math.max(1, Number.parseInt(flags.batch, 10) || 500),
      verify: flags.verify ?? false,
      follow: flags.follow ?? false,
      cut_over: flags.cutOver ?? false,
      reset_checkpoints: flags.resetCheckpoints ?? false,
      signal: ending.signal,
    };
    process.exitCode = await runLogCopy(loadConfig(), request, console.log);
  });

interface LogHealFlags {
  yes?: true;
  acceptLoss?: true;
  lostEvents?: string;
}

log
  .command('heal')
  .description(
    'Append to a log that has lost its end what the audit still has: docs/operations.md, "A log restored from an older backup"',
  )
  .option('--yes', 'do not ask')
  .option('--accept-loss', 'take the log as it is: read models are built anew, and what is missing is kept in a file')
  .option('--lost-events <file>', 'a new file for what is lost (default: DATA_DIR/lost-events-<time>.jsonl)')
  .addHelpText(
    'after',
    '\nExit codes: 0 the log is whole, 1 failed or nothing was done, 2 other events stand in the way, 3 done, and something is lost.',
  )
  .action(async (flags: LogHealFlags) => {
    const { runLogHeal } = await import('./wiring/log-heal/run-log-heal.ts');
    const request = {
      yes: flags.yes ?? false,
      accept_loss: flags.acceptLoss ?? false,
      lost_events: flags.lostEvents ?? null,
    };
    process.exitCode = await runLogHeal(loadConfig(), request, console.log);
  });

if (existsSync('.env')) process.loadEnvFile('.env');
program.parseAsync().catch((error: unknown) => {
  const doing = program.args[0] ?? 'budapp';
  console.error(error instanceof ConfigError ? error.message : `\n${doing} failed: ${explain(error)}`);
  process.exitCode = 1;
});
