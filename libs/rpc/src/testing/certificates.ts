import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { type Identity, identityUri } from "../identity.ts";
import type { TlsMaterial } from "../tls.ts";

/** A deployment's certificate authority. Its key stays in this object. */
export interface Authority {
  /** PEM. */
  readonly certificate: Uint8Array;
  /** Makes a key pair and a certificate for both ends of mutual TLS; `uris` overrides what stands in the subject alternative name. */
  issue(
    identity: Identity,
    options?: { readonly uris?: readonly string[]; readonly notAfter?: Date },
  ): Promise<TlsMaterial>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Certificates start this much in the past, so that a slow clock elsewhere does not refuse a new one. */
const BACKDATE_MS = 5 * 60_000;
const DAY_MS = 24 * 3_600_000;

/** Makes an ECDSA P-256 authority that may sign leaf certificates only, valid for a day. */
export async function createAuthority(name = "Countersign test authority"): Promise<Authority> {
  const keys = await generateKeys();
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [name] }],
      keys,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return {
    certificate: pem(root.toString("pem")),
    issue: (identity, options = {}) => issue({ root, signingKey: keys.privateKey }, identity, options),
  };
}

async function issue(
  { root, signingKey }: { readonly root: X509Certificate; readonly signingKey: webcrypto.CryptoKey },
  identity: Identity,
  { uris = [identityUri(identity)], notAfter }: { readonly uris?: readonly string[]; readonly notAfter?: Date },
): Promise<TlsMaterial> {
  const keys = await generateKeys();
  const leaf = await X509CertificateGenerator.create(
    {
      subject: [{ CN: [`${identity.role} ${identity.name}`] }],
      issuer: root.subjectName,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      ...validity(notAfter),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension([
          ...uris.map((value) => ({ type: "url" as const, value })),
          { type: "dns", value: "localhost" },
          { type: "ip", value: "127.0.0.1" },
        ]),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    ca: pem(root.toString("pem")),
    certificate: pem(leaf.toString("pem")),
    key: pem(PemConverter.encode(key, "PRIVATE KEY")),
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function validity(notAfter = new Date(Date.now() + DAY_MS)): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Math.min(Date.now(), notAfter.getTime()) - BACKDATE_MS), notAfter };
}

function pem(text: string): Uint8Array {
  return Buffer.from(text.endsWith("\n") ? text : `${text}\n`);
}
