/** Why a TLS handshake failed. It does not pass by waiting. */
export interface TlsFault {
  /** The predicate of a sentence about the server. */
  problem: string;
  /** The settings on this side that can solve it, besides the address. */
  settings: readonly string[];
}

interface Mending {
  /** The setting that names a trusted authority. */
  trust?: string;
  /** The setting that disables TLS. */
  plain?: string;
}

/** Codes of Node and OpenSSL for TLS failures; the ones without a text of their own are reported by their code. */
const TLS_CODES = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

/**
 * Explains the code of a failed connection: what is wrong with the server's certificate or with TLS; null for other
 * codes.
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
    // Not a TLS fault: the server may be busy.
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
