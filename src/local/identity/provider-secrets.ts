import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../../failures/failure-code.ts';
import { writePrivateFile } from '../machine/private-file.ts';

const SigningKey = z.looseObject({ kid: z.string(), kty: z.string(), alg: z.literal('ES256'), use: z.literal('sig') });

const ProviderSecrets = z.object({
  /** The first signs; the others still verify. */
  signing_keys: z.array(SigningKey).min(1),
  client_secret: z.string().min(32),
  cookie_key: z.string().min(32),
  /** Part of the issuer's URL, and so of every token: kept across restarts. */
  port: z.int().min(1).max(65535).nullable(),
});
export type ProviderSecrets = z.output<typeof ProviderSecrets>;

const newSigningKey = () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return SigningKey.parse({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' });
};

const newSecrets = (): ProviderSecrets => ({
  signing_keys: [newSigningKey()],
  client_secret: randomBytes(32).toString('base64url'),
  cookie_key: randomBytes(32).toString('base64url'),
  port: null,
});

const fileIn = (directory: string): string => join(directory, 'provider.json');

/** Signing keys, client secret and port of the local provider; null before the first start. */
const findSecrets = (directory: string): ProviderSecrets | null => {
  try {
    return ProviderSecrets.parse(JSON.parse(readFileSync(fileIn(directory), 'utf8')));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new Error(`${fileIn(directory)} cannot be read; restore it, or remove it to make new signing keys`, {
      cause: error,
    });
  }
};

export const saveSecrets = (directory: string, secrets: ProviderSecrets): Promise<void> =>
  writePrivateFile(fileIn(directory), `${JSON.stringify(secrets, null, 2)}\n`);

/** What the last start left, or new secrets, written down before they are used. */
export const loadSecrets = async (directory: string): Promise<ProviderSecrets> => {
  const found = findSecrets(directory);
  if (found !== null) return found;
  const made = newSecrets();
  await saveSecrets(directory, made);
  return made;
};

/** Adds a signing key that signs from the next start on; tokens signed with the older ones stay valid. */
export const rotateSigningKey = async (directory: string): Promise<void> => {
  const secrets = await loadSecrets(directory);
  await saveSecrets(directory, { ...secrets, signing_keys: [newSigningKey(), ...secrets.signing_keys] });
};
