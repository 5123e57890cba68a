import type { ClientBase, Pool } from 'pg';
import { codeOf } from '../failures/failure-code.ts';

/**
 * Runs `work` in a transaction: commits, or rolls back where it throws. A connection that fails to roll back is closed.
 * With `durable` false the commit does not wait for the disk: a crash of the server may lose the whole transaction, but
 * never a part of it.
 */
export const inTransaction = async <T>(
  pool: Pool,
  work: (client: ClientBase) => Promise<T>,
  { durable = true }: { durable?: boolean } = {},
): Promise<T> => {
  const client = await pool.connect();
  let broken: Error | undefined;
  // Without this listener, a connection that is lost while idle would end the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query(durable ? 'begin' : 'begin; set local synchronous_commit to off');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failed: Error) => {
      broken = failed;
    });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
};

/**
 * Errors of the data, not of the connection: class 22 data exception, 23 integrity, 54 limit exceeded; and a `RangeError`,
 * where its JSON is too long or too deep to be made.
 */
export const isDataError = (error: unknown): boolean =>
  error instanceof RangeError || /^(22|23|54)/.test(codeOf(error));
