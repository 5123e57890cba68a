import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;

export const KEY_BYTES = 32;
const TAG_BYTES = 16;

export interface Ciphertext {
  iv: Buffer;
  tag: Buffer;
  data: Buffer;
}

/**
 * AES-256-GCM with a random iv. `context` is authenticated with the text, so it can only be opened with the same
 * context.
 */
export const encrypt = (key: Buffer, clear: Buffer, context: string): Ciphertext => {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  const data = Buffer.concat([cipher.update(clear), cipher.final()]);
  return { iv, tag: cipher.getAuthTag(), data };
};

/** Throws where the key, the context or any byte is not the one of the encryption. */
export const decrypt = (key: Buffer, { iv, tag, data }: Ciphertext, context: string): Buffer => {
  const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(data), decipher.final()]);
};

const WRAP_VERSION = 1;
const TAG_AT = 1 + IV_BYTES;
const DATA_AT = TAG_AT + TAG_BYTES;

const wrapContext = (subject: string): string => `subject-key:${WRAP_VERSION}:${subject}`;

/** Encrypts a subject's key under the master key: version, iv, tag, ciphertext. */
export const wrapKey = (masterKey: Buffer, subjectKey: Buffer, subject: string): Buffer => {
  const { iv, tag, data } = encrypt(masterKey, subjectKey, wrapContext(subject));
  return Buffer.concat([Buffer.from([WRAP_VERSION]), iv, tag, data]);
};

/** Throws where the master key is a different one or the value was changed. */
export const unwrapKey = (masterKey: Buffer, wrapped: Buffer, subject: string): Buffer => {
  if (wrapped[0] !== WRAP_VERSION || wrapped.length !== DATA_AT + KEY_BYTES) {
    throw new Error(`the key of ${subject} is stored in a format that this version does not support`);
  }
  const parts = {
    iv: wrapped.subarray(1, TAG_AT),
    tag: wrapped.subarray(TAG_AT, DATA_AT),
    data: wrapped.subarray(DATA_AT),
  };
  return decrypt(masterKey, parts, wrapContext(subject));
};
