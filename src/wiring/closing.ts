import type { Closable } from '../ports/closable.ts';

/**
 * Closes resources, the last one opened first. A failure of one does not keep the others open; all failures are thrown
 * together.
 */
export const createClosing = () => {
  const opened: { name: string; close: () => Promise<void> }[] = [];

  return {
    /** Registers the resource to be closed, and returns it: `const log = closing.add('log', await openLog())`. */
    add<T extends Closable>(name: string, resource: T): T {
      opened.push({ name, close: () => resource.close() });
      return resource;
    },
    async close(): Promise<void> {
      const failures: unknown[] = [];
      for (let last = opened.pop(); last; last = opened.pop()) {
        try {
          await last.close();
        } catch (cause) {
          failures.push(new Error(`${last.name} did not close`, { cause }));
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'not everything closed in order');
    },
  };
};

export type Closing = ReturnType<typeof createClosing>;
