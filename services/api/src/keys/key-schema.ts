import { type Static, Type } from "typebox";

const Hex = (description: string) => Type.String({ pattern: "^(?:[0-9a-f]{2})+$", description });

/** What n nodes signed about a key; with the deployment's pinned nodes it convinces anyone (Schnorr specification, section 3). */
export const Certificate = Type.Object(
  {
    suite: Type.String({ description: "Ciphersuite of the key." }),
    epoch: Type.Integer({ minimum: 0, description: "Refresh generation." }),
    threshold: Type.Integer({ minimum: 2, description: "Nodes needed for a signature." }),
    publicKey: Hex("Joint public key of the shares; for Schnorr the internal key."),
    tau: Hex("Echo digest of the generation session, 32 bytes."),
    chainCodeHash: Hex("SHA-256 of the chain code."),
    verificationShares: Type.Array(Hex("Verification share of one node."), { description: "Ascending by node index." }),
    acknowledgements: Type.Array(
      Type.Object(
        {
          nodeId: Type.String(),
          index: Type.Integer({ minimum: 1, description: "The node's place in the deployment." }),
          signature: Hex("Ed25519 signature of the node's identity key, 64 bytes."),
        },
        { additionalProperties: false },
      ),
      { description: "One per node, ascending by index." },
    ),
  },
  { additionalProperties: false, description: "Proof that every node of the deployment holds its share of this key." },
);

/** See `Certificate`. */
export type Certificate = Static<typeof Certificate>;

/** Body of `POST /keys`. */
export const CreateKeyBody = Type.Object(
  {
    scheme: Type.Union([Type.Literal("EdDSA"), Type.Literal("Schnorr")]),
    curve: Type.Union([Type.Literal("ed25519"), Type.Literal("secp256k1")]),
    name: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false, description: "Pairs: EdDSA with ed25519, Schnorr (BIP-340) with secp256k1." },
);

const keyMembers = {
  id: Type.String({ description: "Derived from the approval that created the key." }),
  scheme: Type.String(),
  curve: Type.String(),
  publicKey: Hex("Ed25519: 32 bytes. Schnorr: the BIP-341 output key, compressed SEC1."),
  name: Type.Optional(Type.String()),
  status: Type.Union([Type.Literal("Active"), Type.Literal("Archived")]),
  custodial: Type.Boolean(),
  dateCreated: Type.String({ format: "date-time" }),
  countersign: Type.Object(
    {
      certificate: Certificate,
      internalPublicKey: Type.Optional(Hex("Schnorr only: the key before the BIP-341 tweak, compressed SEC1.")),
    },
    { additionalProperties: false },
  ),
};

/** The reference's Key with its certificate. */
export const Key = Type.Object(keyMembers, { additionalProperties: false });

/** See `Key`. */
export type Key = Static<typeof Key>;

/** `GET /keys/:keyId`. */
export const KeyWithStore = Type.Object(
  {
    ...keyMembers,
    wallets: Type.Array(Type.Object({ id: Type.String(), network: Type.String() }, { additionalProperties: false })),
    store: Type.Object(
      { id: Type.String(), kind: Type.Literal("Mpc"), keyId: Type.String() },
      { additionalProperties: false, description: "Where the shares live." },
    ),
  },
  { additionalProperties: false },
);
