import { execFile } from 'node:child_process';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user that the database server runs as. */
export interface ServerUser {
  uid?: number;
  gid?: number;
  /** The prefix of the command where changing the user is not enough. */
  prefix: readonly string[];
}

const findUser = async (name: string): Promise<{ uid: number; gid: number } | null> => {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
};

const createUser = async (name: string): Promise<{ uid: number; gid: number }> => {
  try {
    await run('groupadd', ['--force', '--system', name]);
    await run('useradd', ['--system', '--no-create-home', '--gid', name, name]);
  } catch (cause) {
    throw new Error(
      `The embedded Postgres cannot run as root, and the user ${name} cannot be created. Start BudApp as another user.`,
      {
        cause,
      },
    );
  }
  const user = await findUser(name);
  if (!user) throw new Error(`The user ${name} was created but cannot be found.`);
  return user;
};

/** Whether every user may enter the folder. */
const isReachable = async (folder: string): Promise<boolean> => {
  const { mode } = await stat(folder);
  if ((mode & 0o001) === 0) return false;
  return dirname(folder) === folder || isReachable(dirname(folder));
};

const findSetpriv = async (): Promise<string | undefined> => {
  for (const path of ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv'])
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
};

/**
 * Postgres refuses to run as root, so root starts it as the user `postgres`, which is created where it is missing. That
 * user must reach `folders` (the program, the data); where it may not, as below /root, it is given the one capability to
 * walk through other people's folders.
 */
export const chooseServerUser = async (folders: readonly string[]): Promise<ServerUser> => {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const user = (await findUser('postgres')) ?? (await createUser('postgres'));
  const reachable = await Promise.all(folders.map(isReachable));
  if (reachable.every(Boolean)) return { ...user, prefix: [] };
  const setpriv = await findSetpriv();
  if (!setpriv)
    throw new Error(
      `The embedded Postgres runs as the user postgres, who may not enter ${folders[reachable.indexOf(false)]}. ` +
        'Set DATA_DIR to a folder that everyone may enter, or start BudApp as another user than root.',
    );
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const capabilities = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return { ...user, prefix: [setpriv, ...ids, ...capabilities, '--'] };
};
