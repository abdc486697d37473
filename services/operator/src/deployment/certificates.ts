import "reflect-metadata";
import { createPrivateKey, KeyObject, X509Certificate as NodeCertificate, randomBytes, webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as x509 from "@peculiar/x509";
import { writeFileAtomic } from "../write-file.ts";
import type { TlsFiles } from "./data-folder.ts";

/** Roles that a certificate of the deployment may name. */
export type TlsRole = "api" | "orchestrator" | "signer" | "operator";

/** Who a certificate is for: SAN URI `countersign://<deploymentId>/<role>/<name>`. */
export interface TlsSubject {
  readonly deploymentId: string;
  readonly role: TlsRole;
  readonly name: string;
}

const DAY_MS = 86_400_000;
/** The authority of a local network lives as long as its data folder plausibly does. */
const AUTHORITY_DAYS = 3_650;
/** `up` renews at every start when it must, so a leaf needs to outlive one long run only. */
const LEAF_DAYS = 90;
/** A leaf with less left is renewed at `up`: a network may then run a month without a restart. */
const RENEW_BEFORE_DAYS = 30;
/** Clocks of the two ends may differ a little. */
const BACKDATE_MS = 3_600_000;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

x509.cryptoProvider.set(webcrypto);

/** Makes the deployment's certificate authority (ECDSA P-256) and writes both its files. */
export async function createAuthority(deploymentId: string, files: TlsFiles, now: number): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [`Countersign ${deploymentId}`] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys,
    extensions: [
      // Path length 0: this authority signs leaves, never another authority.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeFileAtomic(files.key, privatePem(keys.privateKey));
  await writeFileAtomic(files.certificate, certificate.toString("pem"));
}

/** Issues (or renews) the certificate of one service; both ends of every connection show one. */
export async function issueCertificate(
  authority: TlsFiles,
  subject: TlsSubject,
  files: TlsFiles,
  now: number,
): Promise<void> {
  const issuer = new x509.X509Certificate(await readFile(authority.certificate, "utf8"));
  const issuerKey = await webcrypto.subtle.importKey(
    "pkcs8",
    createPrivateKey(await readFile(authority.key, "utf8")).export({ format: "der", type: "pkcs8" }),
    ALGORITHM,
    false,
    ["sign"],
  );
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [`${subject.role}/${subject.name}`] }],
    issuer: issuer.subjectName,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + LEAF_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuerKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: subjectUri(subject) },
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  await writeFileAtomic(files.key, privatePem(keys.privateKey));
  await writeFileAtomic(files.certificate, certificate.toString("pem"));
}

/** The identity that a certificate carries. */
export function subjectUri({ deploymentId, role, name }: TlsSubject): string {
  return `countersign://${deploymentId}/${role}/${name}`;
}

/** Whether a certificate should be issued anew: it ends soon, or a crash left it without the key that fits it. */
export async function needsRenewal(files: TlsFiles, now: number): Promise<boolean> {
  const certificate = new NodeCertificate(await readFile(files.certificate));
  if (certificate.validToDate.getTime() - now < RENEW_BEFORE_DAYS * DAY_MS) return true;
  return !certificate.checkPrivateKey(createPrivateKey(await readFile(files.key)));
}

function serialNumber(): string {
  const bytes = randomBytes(16);
  // Positive and of full length, whatever the draw.
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

function privatePem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ format: "pem", type: "pkcs8" }).toString();
}
