import { type Static, Type } from "typebox";

const STRICT = { additionalProperties: false };
const PrefixedHex = (bytes: number, description: string) =>
  Type.String({ pattern: `^0x[0-9a-f]{${2 * bytes}}$`, description });
const ExternalId = Type.Optional(
  Type.String({ minLength: 1, maxLength: 64, description: "A second request with it gets the first one's signature." }),
);

/** Body of `POST /keys/:keyId/signatures`. */
export const SignatureBody = Type.Union([
  Type.Object(
    {
      kind: Type.Literal("Hash"),
      hash: PrefixedHex(32, "Digest to sign. An EdDSA key signs the 32 bytes as message."),
      taprootMerkleRoot: Type.Optional(
        Type.String({
          pattern: "^(?:0x[0-9a-f]{64})?$",
          description: "Schnorr only: script tree root of the BIP-341 tweak; empty or absent for none.",
        }),
      ),
      network: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9]{1,64}$" })),
      blockchainKind: Type.Optional(Type.String({ pattern: "^[A-Z][A-Za-z]{1,31}$" })),
      externalId: ExternalId,
    },
    STRICT,
  ),
  Type.Object(
    {
      kind: Type.Literal("Message"),
      message: Type.String({
        pattern: "^0x(?:[0-9a-f]{2})*$",
        maxLength: 131_074,
        description: "EdDSA only: the bytes to sign, at most 65,536.",
      }),
      externalId: ExternalId,
    },
    STRICT,
  ),
]);

/** One signature. */
export const SignatureValue = Type.Object(
  {
    r: PrefixedHex(32, "EdDSA: encoded R. Schnorr: x(R)."),
    s: PrefixedHex(32, "EdDSA: s, little-endian. Schnorr: s, big-endian."),
    encoded: Type.String({ pattern: "^0x[0-9a-f]{128}$", description: "r and s joined, as verifiers take it." }),
  },
  STRICT,
);

/** See `SignatureValue`. */
export type SignatureValue = Static<typeof SignatureValue>;

/** The reference's Signature. */
export const Signature = Type.Object(
  {
    id: Type.String({ description: "Derived from the approval." }),
    keyId: Type.String(),
    requester: Type.Object({ userId: Type.String(), tokenId: Type.String() }, STRICT),
    requestBody: Type.Unknown({ description: "The approved body." }),
    status: Type.Union([Type.Literal("Executing"), Type.Literal("Signed"), Type.Literal("Failed")]),
    reason: Type.Optional(Type.String({ description: "Why it failed." })),
    signature: Type.Optional(SignatureValue),
    signatures: Type.Optional(Type.Array(SignatureValue)),
    network: Type.Optional(Type.String()),
    dateRequested: Type.String({ format: "date-time" }),
    dateSigned: Type.Optional(Type.String({ format: "date-time" })),
    externalId: Type.Optional(Type.String()),
  },
  STRICT,
);

/** See `Signature`. */
export type Signature = Static<typeof Signature>;
