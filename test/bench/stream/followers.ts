import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Order, Told } from './follower-process.ts';

export interface Followers {
  forget(): Promise<void>;
  tell(): Promise<Told>;
  close(): Promise<void>;
}

/** Opens WebSockets to a server in a process of their own. */
export const openFollowers = async (order: Extract<Order, { open: unknown }>['open']): Promise<Followers> => {
  const child = fork(new URL('follower-process.ts', import.meta.url), [], { execArgv: [] });
  const exited = once(child, 'exit');
  const ask = async (question: Order): Promise<Told> => {
    const answered = once(child, 'message');
    child.send(question);
    const [told] = await Promise.race([answered, exited.then(() => Promise.reject(new Error('the followers ended')))]);
    return told as Told;
  };
  await ask({ open: order });
  return {
    forget: async () => {
      await ask({ forget: true });
    },
    tell: () => ask({ tell: true }),
    close: async () => {
      child.kill();
      await exited;
    },
  };
};
