import { expect } from 'chai';
import { S3Error } from 'minio';
import { createMinioFailures, unusable } from '../../../src/adapters/minio/failures.ts';
import { Rejected } from '../../../src/errors.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { failureOf } from '../../failure-of.ts';

const SETTINGS = {
  endpoint: '127.0.0.1:9000',
  secure: true,
  access_key: 'key',
  secret_key: 'secret',
  bucket: 'models',
};

const withCode = <E extends Error>(error: E, code: string): E => Object.assign(error, { code });
const refused = () => withCode(new Error('connect'), 'ECONNREFUSED');
const full = () => withCode(new S3Error('full'), 'XMinioStorageFull');

describe('a failure of MinIO', () => {
  it('is told once, anew where the reason changes, and once when it is over', async () => {
    const lines: { level: string; message: string }[] = [];
    const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(JSON.parse(line)) } });
    const { guard } = createMinioFailures(SETTINGS, logger);
    for (const error of [refused(), refused(), full(), full()]) {
      const refusal = await failureOf(guard(Promise.reject(error)));
      expect(refusal).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable' });
    }
    expect(await guard(Promise.resolve('stored'))).to.equal('stored');
    await guard(Promise.resolve('stored'));
    expect(lines.map(({ level }) => level)).to.deep.equal(['warn', 'warn', 'info']);
    expect(lines[0]?.message).to.match(/cannot be reached.*MINIO_ENDPOINT/);
    expect(lines[1]?.message).to.contain('has no room left');
  });

  for (const { code, transient, settings, words } of [
    { code: 'ECONNREFUSED', transient: true, settings: ['MINIO_ENDPOINT', 'MINIO_SECURE'], words: 'cannot be reached' },
    { code: 'CERT_HAS_EXPIRED', transient: false, settings: ['MINIO_ENDPOINT', 'MINIO_SECURE'], words: 'has expired' },
    {
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
      transient: false,
      settings: ['MINIO_ENDPOINT', 'MINIO_SECURE', 'NODE_EXTRA_CA_CERTS'],
      words: 'not trusted',
    },
    { code: 'EPROTO', transient: false, settings: ['MINIO_ENDPOINT', 'MINIO_SECURE'], words: 'MINIO_SECURE=false' },
  ]) {
    it(`at the start is "${words}" where the connection fails with ${code}`, () => {
      const failure = unusable(withCode(new Error('no connection'), code), SETTINGS);
      expect(failure).to.deep.include({ transient, settings });
      expect(failure.message).to.contain(words);
    });
  }
});
