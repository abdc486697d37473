import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { identityUri, type Role, type TlsMaterial } from "@countersign/rpc";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

/** Issues certificates of one deployment, valid for an hour, under an authority that lives in this function only. */
export async function issueCertificates(
  deploymentId: string,
  holders: readonly { role: Role; name: string }[],
): Promise<TlsMaterial[]> {
  const validity = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + HOUR_MS) };
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const authority = await X509CertificateGenerator.createSelfSigned(
    {
      name: "CN=Test authority",
      keys,
      signingAlgorithm: ALGORITHM,
      ...validity,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto,
  );
  return Promise.all(
    holders.map(async ({ role, name }) => {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const certificate = await X509CertificateGenerator.create(
        {
          subject: `CN=${role} ${name}`,
          issuer: authority.subjectName,
          publicKey: own.publicKey,
          signingKey: keys.privateKey,
          signingAlgorithm: ALGORITHM,
          ...validity,
          extensions: [
            new BasicConstraintsExtension(false, undefined, true),
            new SubjectAlternativeNameExtension([{ type: "url", value: identityUri({ deploymentId, role, name }) }]),
          ],
        },
        webcrypto,
      );
      const key = await webcrypto.subtle.exportKey("pkcs8", own.privateKey);
      return {
        ca: Buffer.from(authority.toString("pem")),
        certificate: Buffer.from(certificate.toString("pem")),
        key: Buffer.from(PemConverter.encode(key, "PRIVATE KEY")),
      };
    }),
  );
}
