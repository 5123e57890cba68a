import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Not Node's default folder: any user who can write to /tmp could put code there that BudApp then runs.
const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/budapp', import.meta.url));

/**
 * Keeps what Node makes of the sources, so that the next start need not compile them again. It counts for what is imported
 * afterwards. `NODE_COMPILE_CACHE` names another folder. Where nothing can be written, a start merely takes longer.
 */
export const keepCompiledCode = (): void => {
  enableCompileCache(FOLDER);
};
