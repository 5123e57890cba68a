import { generate } from 'selfsigned';

const HOUR_MS = 60 * 60 * 1000;

/** A certificate for the loopback address and its key, PEM. It is its own authority, and valid for an hour, or expired. */
export const aCertificate = async ({
  expired = false,
}: {
  expired?: boolean;
} = {}): Promise<{
  certificate: string;
  key: string;
}> => {
  const now = Date.now();
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'BudApp tests' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - 2 * HOUR_MS),
    notAfterDate: new Date(now + (expired ? -HOUR_MS : HOUR_MS)),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { certificate: cert, key };
};
