import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import Provider from 'oidc-provider';
import type { Logger } from 'pino';
import { codeOf } from '../../failures/failure-code.ts';
import type { Closable } from '../../ports/closable.ts';
import { createAttemptLimit } from './attempt-limit.ts';
import { openIdentityDatabase } from './identity-database.ts';
import { registerLoginPages } from './login-interaction.ts';
import { registerPasswordGrant } from './password-grant.ts';
import type { ScryptCost } from './password-hash.ts';
import { createPasswordLogin } from './password-login.ts';
import { generatePassword, passwordFaults } from './password-rules.ts';
import { CLIENT_ID, type Lifetimes, providerConfiguration } from './provider-configuration.ts';
import { loadSecrets, type ProviderSecrets, saveSecrets } from './provider-secrets.ts';
import { createUserStore, type LocalUser, type NewLocalUser, type UserStore } from './user-store.ts';

export interface LocalIdentityOptions {
  data_dir: string;
  /** Default: a free port, found at the first start and kept from then on. */
  port?: number;
  admin: {
    email: string;
    /** Default: generated at the first start. Where it is given, it becomes the admin's password at every start. */
    password?: string | undefined;
  };
  /** Where a browser may be sent back to after signing in. */
  redirect_uris?: readonly string[];
  /** Seconds; default 30 minutes and 7 days. */
  lifetimes?: Lifetimes;
  /** For so long a used refresh token may be used again: its first answer may have been lost. Default: 0. */
  reuse_seconds?: number;
  /** What a new password's hash costs. Tests alone lower it: no setting does. */
  password_cost?: ScryptCost;
  log: Logger;
}

export interface LocalIdentityProvider extends Closable {
  issuer_url: string;
  client_id: string;
  client_secret: string;
  /** True where this start made the admin. */
  first_start: boolean;
  /** To be shown once: the admin's password, where this start generated it; null otherwise. */
  generated_password: string | null;
  /** Throws `Rejected` `invalid` (`weak-password`, `invalid-email`) or `conflict` (`email-taken`). */
  createUser(user: NewLocalUser): Promise<LocalUser>;
}

const LOOPBACK = '127.0.0.1';
const DEFAULT_LIFETIMES: Lifetimes = { access_token: 30 * 60, refresh_token: 7 * 24 * 3600 };
const DEFAULT_REDIRECT_URIS = ['http://localhost:9081/auth/callback', 'http://127.0.0.1:9081/auth/callback'];

const listen = async (server: Server, port: number): Promise<number> => {
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the local identity provider has no port');
  return address.port;
};

const isPortTaken = (error: unknown): boolean => ['EADDRINUSE', 'EACCES'].includes(codeOf(error));

/** The port that was asked for or nothing; else the last start's port; else any free one. */
const listenWhereItWas = async (
  server: Server,
  { port, remembered, log }: { port: number | undefined; remembered: number | null; log: Logger },
): Promise<number> => {
  if (port !== undefined) return listen(server, port);
  if (remembered === null) return listen(server, 0);
  try {
    return await listen(server, remembered);
  } catch (error) {
    if (!isPortTaken(error)) throw error;
    log.warn(
      { port: remembered },
      'the identity provider moves to another port: access tokens from before are refused',
    );
    return listen(server, 0);
  }
};

const refuseWeakSetting = (password: string | undefined): void => {
  const faults = password === undefined ? [] : passwordFaults(password);
  if (faults.length > 0) throw new Error(`ADMIN_PASSWORD ${faults.join(', ')}`);
};

const ensureAdmin = async (users: UserStore, { email, password }: LocalIdentityOptions['admin'], log: Logger) => {
  refuseWeakSetting(password);
  const known = users.findByEmail(email);
  if (known === null) {
    const generated = password === undefined ? generatePassword() : null;
    await users.create({ email, password: password ?? generated ?? '', name: 'Administrator', role: 'admin' });
    return { first_start: true, generated_password: generated };
  }
  if (password !== undefined && (await users.authenticate(email, password)) === null) {
    await users.setPassword(known.id, password);
    log.info({ user_id: known.id }, 'the admin has a new password, as ADMIN_PASSWORD says');
  }
  return { first_start: false, generated_password: null };
};

const reportErrors = (provider: Provider, log: Logger): void => {
  provider.on('server_error', (_ctx, error) => log.error({ err: error }, 'the local identity provider failed'));
};

const buildProvider = (issuer: string, parts: Parameters<typeof providerConfiguration>[0], log: Logger): Provider => {
  const provider = new Provider(issuer, providerConfiguration(parts));
  const login = createPasswordLogin({ users: parts.users, attempts: createAttemptLimit() });
  registerPasswordGrant(provider, login, parts.lifetimes);
  registerLoginPages(provider, login, parts.secrets.cookie_key);
  reportErrors(provider, log);
  return provider;
};

const remember = async (directory: string, secrets: ProviderSecrets, port: number): Promise<void> => {
  if (secrets.port !== port) await saveSecrets(directory, { ...secrets, port });
};

const stop = async (server: Server): Promise<void> => {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
};

/**
 * An OpenID provider on loopback HTTP that stands in where no `KEYCLOAK_URL` is set. Users, keys, sessions and refresh
 * tokens are kept in `<data_dir>/identity` and survive a restart. Throws where `port` is taken, or the admin's password
 * breaks the rules.
 */
export const createLocalIdentityProvider = async (options: LocalIdentityOptions): Promise<LocalIdentityProvider> => {
  const { data_dir, port, admin, log, lifetimes = DEFAULT_LIFETIMES, redirect_uris = DEFAULT_REDIRECT_URIS } = options;
  const directory = join(data_dir, 'identity');
  const database = openIdentityDatabase(directory);
  const server = createServer();
  try {
    const secrets = await loadSecrets(directory);
    const users = createUserStore(database, options.password_cost);
    const started = await ensureAdmin(users, admin, log);
    const listening = await listenWhereItWas(server, { port, remembered: secrets.port, log });
    await remember(directory, secrets, listening);
    const issuer_url = `http://${LOOPBACK}:${listening}`;
    const parts = { database, users, secrets, redirect_uris, lifetimes, reuse_seconds: options.reuse_seconds ?? 0 };
    const provider = buildProvider(issuer_url, parts, log);
    server.on('request', provider.callback());
    const close = async () => {
      await stop(server);
      if (database.isOpen) database.close();
    };
    return {
      issuer_url,
      client_id: CLIENT_ID,
      client_secret: secrets.client_secret,
      ...started,
      createUser: users.create,
      close,
    };
  } catch (error) {
    await stop(server);
    database.close();
    throw error;
  }
};
