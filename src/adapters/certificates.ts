/** Why a TLS handshake failed. It does not pass by waiting. */
export interface TlsFault {
  /** The predicate of a sentence about the server. */
  problem: string;
  /** What can mend it on this side, besides the address. */
  settings: readonly string[];
}

interface Mending {
  /** Where an authority is named that is to be trusted. */
  trust?: string;
  /** The setting that asks for no TLS. */
  plain?: string;
}

/** Node's and OpenSSL's codes; whatever else they say of TLS is told by its code. */
const TLS_CODES = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

/**
 * What the code of a failed connection says about the server's certificate, or about TLS; null where it says nothing about
 * them.
 */
export const tlsFaultOf = (code: string, { trust = 'NODE_EXTRA_CA_CERTS', plain }: Mending = {}): TlsFault | null => {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return { problem: 'has a certificate that has expired', settings: [] };
    case 'CERT_NOT_YET_VALID':
      return {
        problem: 'has a certificate that is not valid yet, or the clock of this machine is behind',
        settings: [],
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return { problem: 'has a certificate for another host name', settings: [] };
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return {
        problem: `has a certificate of an authority that is not trusted: ${trust} can name the authority`,
        settings: [trust],
      };
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return {
        problem: `sends a certificate without the chain that leads to a trusted authority: mend its chain, or name the authority in ${trust}`,
        settings: [trust],
      };
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return { problem: `does not speak TLS there${plain ? `, which ${plain} would say` : ''}`, settings: [] };
    // It may be busy.
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return null;
    default:
      return TLS_CODES.test(code)
        ? {
            problem: `cannot be spoken to over TLS, because of its certificate or its versions of TLS (${code})`,
            settings: [trust],
          }
        : null;
  }
};
