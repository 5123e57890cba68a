import { Command } from 'commander';
import { inheritedEnvironment, loadConfig } from './config.ts';

interface DemoFlags {
  url?: string;
  email?: string;
  password?: string;
}

const program = new Command('budapp').description('BudApp from the command line. The server is: npm start');

program
  .command('demo')
  .description('Do the main job end to end: upload, deploy, infer, heal, delete, replay')
  .option('--url <url>', 'use a BudApp that runs already, instead of starting one')
  .option('--email <email>', 'who logs in at --url (default: ADMIN_EMAIL)')
  .option('--password <password>', 'with which password (default: ADMIN_PASSWORD)')
  .action(async (flags: DemoFlags) => {
    // Loaded on demand: what the demo needs is no production dependency.
    const { runDemo } = await import('./demo/demo.ts');
    const { admin } = loadConfig();
    const environment = inheritedEnvironment();
    await runDemo({ ...admin, ...flags, environment }, console.log);
  });

program.parseAsync().catch((error: unknown) => {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
