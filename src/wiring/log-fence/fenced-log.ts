import type { Log } from '../../ports/log.ts';
import type { LogFence } from '../../ports/log-fence.ts';

/** Asked once for each read: the adapter itself ends those that are going on. */
const guarded = <T>(fence: LogFence, read: () => AsyncIterable<T>): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => {
    fence.assertOpen();
    return read()[Symbol.asyncIterator]();
  },
});

/** The log, which refuses to be written and read from the moment on at which the fence closes. */
export const fencedLog = (log: Log, fence: LogFence): Log => ({
  ...log,
  append: async (stream, events, options) => {
    fence.assertOpen();
    const appended = await log.append(stream, events, options);
    // An append that was on its way when the fence closed may have gone into the log that has lost its end.
    fence.assertOpen();
    return appended;
  },
  readStream: (stream, options) => guarded(fence, () => log.readStream(stream, options)),
  subscribe: (options) => guarded(fence, () => log.subscribe(options)),
});
