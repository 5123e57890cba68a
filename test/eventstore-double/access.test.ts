import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessDeniedError, ErrorType } from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { aCertificate } from '../certificate.ts';
import { failureOf } from '../failure-of.ts';
import { anEvent, connect, listed, withDouble } from './opened.ts';

/** As gRPC says it: the client has not got as far as to errors of its own. */
const UNAVAILABLE = { code: status.UNAVAILABLE };

describe('The EventStoreDB double lets in', () => {
  let directory: string;
  let valid: Awaited<ReturnType<typeof aCertificate>>;
  let expired: typeof valid;

  /** The connection string as an operator writes it. */
  const urlFor = (port: number, user: string, authority = 'valid.pem') =>
    `esdb://${user}localhost:${port}?tls=true&tlsCAFile=${encodeURIComponent(join(directory, authority))}`;

  before(async () => {
    [valid, expired] = [await aCertificate(), await aCertificate({ expired: true })];
    directory = await mkdtemp(join(tmpdir(), 'eventstore-double-'));
    await writeFile(join(directory, 'valid.pem'), valid.certificate);
    await writeFile(join(directory, 'expired.pem'), expired.certificate);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const credentials = { username: 'budapp', password: 'p@ss:word' };
  const user = `budapp:${encodeURIComponent('p@ss:word')}@`;

  for (const batchAppend of [true, false])
    it(`who names user and password over TLS, and nobody else (${batchAppend ? 'BatchAppend' : 'Append'})`, () =>
      withDouble({ tls: valid, credentials, batchAppend }, async ({ double }) => {
        const known = connect(urlFor(double.port, user));
        await known.append('s', anEvent());
        expect(await listed(known.client.readStream('s'))).to.deep.equal(['s@0']);
        for (const other of ['', 'budapp:wrong@']) {
          const refused = connect(urlFor(double.port, other));
          // With a wrong password the call gets no further than to gRPC; without any name the streams refuse it.
          const code = other === '' ? {} : { code: status.UNAUTHENTICATED };
          expect(await failureOf(refused.append('s', anEvent())))
            .to.be.instanceOf(AccessDeniedError)
            .and.include(code);
          expect(await failureOf(listed(refused.client.readStream('s'))))
            .to.be.instanceOf(AccessDeniedError)
            .and.include(other === '' ? { code: status.PERMISSION_DENIED } : code);
          await refused.dispose();
        }
        await known.dispose();
      }));

  it('whoever has the right, and denies the others what they have no right to', () =>
    withDouble({ tls: valid, credentials }, async ({ double }) => {
      const other = connect(urlFor(double.port, 'reader:secret@'));
      const denied = { type: ErrorType.ACCESS_DENIED };
      double.setUsers([{ username: 'reader', password: 'secret', rights: ['read', 'append'] }]);
      await other.append('s', anEvent());
      expect(await listed(other.client.readStream('s'))).to.deep.equal(['s@0']);
      expect(await failureOf(listed(other.client.readAll())))
        .to.include(denied)
        .and.include({ code: status.PERMISSION_DENIED });
      double.setUsers([{ username: 'reader', password: 'secret', rights: ['read-all'] }]);
      expect(await listed(other.client.readAll())).to.include('s@0');
      expect(await failureOf(other.append('s', anEvent()))).to.include(denied);
      expect(await failureOf(other.client.deleteStream('s'))).to.include(denied);
      double.setUsers([{ username: 'reader', password: 'changed' }]);
      expect(await failureOf(listed(other.client.readAll()))).to.include({ code: status.UNAUTHENTICATED });
      await other.dispose();
    }));

  it('nobody with whom it shares no trust, nor with a certificate that has expired', async () => {
    await withDouble({ tls: valid }, async ({ double }) => {
      const stranger = connect(urlFor(double.port, '', 'expired.pem'));
      expect(await failureOf(stranger.append('s', anEvent()))).to.include(UNAVAILABLE);
      await stranger.dispose();
    });
    await withDouble({ tls: expired }, async ({ double }) => {
      const late = connect(urlFor(double.port, '', 'expired.pem'));
      expect(await failureOf(late.append('s', anEvent()))).to.include(UNAVAILABLE);
      await late.dispose();
    });
  });
});
