/** What all jobs of a run share: mocha starts it before the first file, and ends it after the last. */
import { fileURLToPath } from 'node:url';
import { ADMIN } from './e2e/budapp.ts';
import { PREPARED_FOLDER, prepareFolder } from './e2e/prepared-folder.ts';
import { SHARED_SERVER, startTestServer } from './postgres.ts';

const closing: (() => Promise<void>)[] = [];

export const mochaGlobalSetup = async (): Promise<void> => {
  const [server, prepared] = await Promise.all([startTestServer(), prepareFolder(ADMIN)]);
  closing.push(server.close, prepared.close);
  // The jobs, and what they start, are processes that inherit it.
  process.env[SHARED_SERVER] = server.connection_string;
  process.env[PREPARED_FOLDER] = prepared.folder;
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache/budapp', import.meta.url));
};

export const mochaGlobalTeardown = async (): Promise<void> => {
  for (const close of closing.splice(0).reverse()) await close();
};
