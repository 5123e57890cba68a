import { once } from 'node:events';
import { createServer as createPlainServer } from 'node:http';
import { connect, createServer, type TlsOptions } from 'node:tls';
import { expect } from 'chai';
import { tlsFaultOf } from '../../src/adapters/certificates.ts';
import { codeOf } from '../../src/failures/failure-code.ts';
import { aCertificate } from '../certificate.ts';

describe('what a failed TLS handshake says', () => {
  for (const { code, words, settings } of [
    { code: 'CERT_HAS_EXPIRED', words: 'has expired', settings: [] },
    { code: 'CERT_NOT_YET_VALID', words: 'clock', settings: [] },
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID', words: 'another host name', settings: [] },
    { code: 'SELF_SIGNED_CERT_IN_CHAIN', words: 'authority that is not trusted', settings: ['NODE_EXTRA_CA_CERTS'] },
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', words: 'without the chain', settings: ['NODE_EXTRA_CA_CERTS'] },
    { code: 'ERR_SSL_WRONG_VERSION_NUMBER', words: 'does not speak TLS', settings: [] },
    { code: 'CERT_REVOKED', words: 'CERT_REVOKED', settings: ['NODE_EXTRA_CA_CERTS'] },
    { code: 'ERR_SSL_NO_PROTOCOLS_AVAILABLE', words: 'versions of TLS', settings: ['NODE_EXTRA_CA_CERTS'] },
  ]) {
    it(`is "${words}" at ${code}`, () => {
      const fault = tlsFaultOf(code);
      expect(fault?.problem).to.contain(words);
      expect(fault?.settings).to.deep.equal(settings);
    });
  }

  for (const code of ['', 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ERR_TLS_HANDSHAKE_TIMEOUT', '28P01']) {
    it(`is nothing about TLS at "${code}"`, () => {
      expect(tlsFaultOf(code)).to.equal(null);
    });
  }

  it('names the setting of the system that was called', () => {
    expect(tlsFaultOf('SELF_SIGNED_CERT_IN_CHAIN', { trust: 'tlsCAFile' })).to.deep.include({
      settings: ['tlsCAFile'],
    });
    expect(tlsFaultOf('EPROTO', { plain: 'tls=false' })?.problem).to.contain('tls=false');
  });

  describe('of a real server', () => {
    const problemOf = async (server: ReturnType<typeof createPlainServer> | ReturnType<typeof createServer>) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      const socket = connect({ host: '127.0.0.1', port });
      try {
        const [error] = await once(socket, 'error');
        return tlsFaultOf(codeOf(error))?.problem;
      } finally {
        socket.destroy();
        server.close();
      }
    };
    const tlsServer = async (options: { expired: boolean }) => {
      const { certificate: cert, key } = await aCertificate(options);
      const tls: TlsOptions = { cert, key };
      return createServer(tls).on('tlsClientError', () => undefined);
    };

    it('with an expired certificate', async () => {
      expect(await problemOf(await tlsServer({ expired: true }))).to.contain('has expired');
    });

    it('with a certificate that nobody has signed', async () => {
      expect(await problemOf(await tlsServer({ expired: false }))).to.contain('not trusted');
    });

    it('without TLS', async () => {
      expect(await problemOf(createPlainServer())).to.contain('does not speak TLS');
    });
  });
});
