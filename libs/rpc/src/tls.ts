import { constants, X509Certificate } from "node:crypto";
import type { SecureServerOptions } from "node:http2";
import { createSecureContext, type PeerCertificate, type SecureContext, type SecureContextOptions } from "node:tls";
import { type ChannelCredentials, credentials, ServerCredentials } from "@grpc/grpc-js";
import { rpcError } from "./errors.ts";
import { type ExpectedIdentity, type Identity, identityOf, identityUri, isExpected } from "./identity.ts";
import { HANDSHAKE_MS_MAX, HEADER_BYTES_MAX } from "./limits.ts";

/** PEM bytes of one service: the deployment's authority, its own certificate and that certificate's private key. */
export interface TlsMaterial {
  readonly ca: Uint8Array;
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
}

/** The identity in a service's own certificate, which must be the expected one. Raises `rpc_certificate_invalid`. */
export function ownIdentity(tls: TlsMaterial, expected?: Identity): Identity {
  let names: string | undefined;
  try {
    names = new X509Certificate(tls.certificate).subjectAltName;
  } catch (cause) {
    throw rpcError("rpc_certificate_invalid", "The certificate file holds no certificate.", { cause });
  }
  const identity = identityOf(names);
  if (identity === undefined)
    throw rpcError("rpc_certificate_invalid", "The certificate names no countersign:// identity, or more than one.");
  if (expected !== undefined && !isExpected(identity, expected))
    throw rpcError(
      "rpc_certificate_invalid",
      `The certificate is that of ${identityUri(identity)}, expected ${identityUri(expected)}.`,
    );
  return identity;
}

/** Server side of mutual TLS 1.3: a connection without a certificate of the authority ends in the handshake. */
export function serverCredentials(tls: TlsMaterial, streamsMax: number): ServerCredentials {
  secureContext(tls);
  return new MutualTls(tls, streamsMax);
}

/** Client side: accepts the expected identity only, whatever its host name. */
export function clientCredentials(tls: TlsMaterial, server: ExpectedIdentity): ChannelCredentials {
  return credentials.createFromSecureContext(secureContext(tls), {
    // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED changes the default.
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => mistaken(server, certificate),
  });
}

function mistaken(expected: ExpectedIdentity, certificate: PeerCertificate): Error | undefined {
  const found = identityOf(certificate.subjectaltname);
  if (found !== undefined && isExpected(found, expected)) return undefined;
  const name = found === undefined ? "no identity of ours" : identityUri(found);
  const { deploymentId, role } = expected;
  return new Error(`expected countersign://${deploymentId}/${role}/${expected.name ?? "*"}, found ${name}`);
}

function contextOptions(tls: TlsMaterial): SecureContextOptions {
  return {
    ca: Buffer.from(tls.ca),
    cert: Buffer.from(tls.certificate),
    key: Buffer.from(tls.key),
    minVersion: "TLSv1.3",
    // A resumed session is not checked against the authority again and could outlive the certificate it began with.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Also reads the files once at start, where grpc-js would only log a bad key and refuse every connection. */
function secureContext(tls: TlsMaterial): SecureContext {
  try {
    return createSecureContext(contextOptions(tls));
  } catch (cause) {
    throw rpcError(
      "rpc_certificate_invalid",
      "The authority, certificate or key cannot be read, or they do not match.",
      {
        cause,
      },
    );
  }
}

/** grpc-js's own `createSsl` takes no TLS version and no HTTP/2 limits; its base class passes both to `node:http2`. */
class MutualTls extends ServerCredentials {
  constructor(tls: TlsMaterial, streamsMax: number) {
    const options: SecureServerOptions = {
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      settings: { maxConcurrentStreams: streamsMax, maxHeaderListSize: HEADER_BYTES_MAX },
    };
    super(options, contextOptions(tls));
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
