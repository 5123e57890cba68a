import type { Metadata } from '@grpc/grpc-js';
import { accessDenied, type RpcError, unauthenticated } from './calls/rpc-errors.ts';

export interface Credentials {
  username: string;
  password: string;
}

/** As access lists give them: to append to and to read streams, and to read `$all`, which on a new server only admins may. */
export type Right = 'append' | 'read' | 'read-all';

export interface User extends Credentials {
  /** All where it is left out. */
  rights?: readonly Right[];
}

/** Who may do what. */
export interface Access {
  /** null where the caller has the right. The real server takes nobody without a name from version 23.10 on. */
  refusal(metadata: Metadata, right: Right): RpcError | null;
  /** From now on there are these users and no others; everybody may do everything where there are none. */
  setUsers(users: readonly User[]): void;
}

const headerOf = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

export const createAccess = (initial: readonly User[]): Access => {
  let users = initial;

  return {
    refusal(metadata, right) {
      if (users.length === 0) return null;
      const [given] = metadata.get('authorization');
      if (given === undefined) return accessDenied();
      const user = users.find((known) => headerOf(known) === given.toString());
      if (user === undefined) return unauthenticated();
      return user.rights?.includes(right) === false ? accessDenied() : null;
    },
    setUsers(others) {
      users = others;
    },
  };
};
