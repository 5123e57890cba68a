/** What all jobs of a run share: mocha starts it before the first file, and ends it after the last. */
import { SHARED_SERVER, startTestServer } from './postgres.ts';

const closing: (() => Promise<void>)[] = [];

export const mochaGlobalSetup = async (): Promise<void> => {
  const { connection_string, close } = await startTestServer();
  closing.push(close);
  // The jobs are processes that inherit it.
  process.env[SHARED_SERVER] = connection_string;
};

export const mochaGlobalTeardown = async (): Promise<void> => {
  for (const close of closing.splice(0).reverse()) await close();
};
