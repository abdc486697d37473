import {
  CLIENT_DATA_BYTES_MAX,
  CRED_ID_LENGTH_MAX,
  PATH_LENGTH_MAX,
  SIGNATURE_BYTES_MAX,
} from "@countersign/authority";
import { Type } from "typebox";
import { BODY_BYTES_MAX } from "../json-body.ts";

const STRICT = { additionalProperties: false };
const Base64url = (bytesMax: number, description: string) =>
  Type.String({ pattern: "^[A-Za-z0-9_-]*$", maxLength: Math.ceil((bytesMax * 4) / 3), description });

/** Body of `POST /auth/action/init`. */
export const ActionInitBody = Type.Object(
  {
    userActionPayload: Type.String({
      maxLength: BODY_BYTES_MAX,
      description: "The body of the request to approve, byte for byte.",
    }),
    userActionHttpMethod: Type.Union([
      Type.Literal("POST"),
      Type.Literal("PUT"),
      Type.Literal("DELETE"),
      Type.Literal("GET"),
    ]),
    userActionHttpPath: Type.String({ minLength: 1, maxLength: PATH_LENGTH_MAX }),
    userActionServerKind: Type.Optional(Type.Literal("Api")),
  },
  STRICT,
);

const CredentialRef = Type.Object({ type: Type.Literal("public-key"), id: Type.String() }, STRICT);

/** The reference's ActionChallenge; `countersign` lets a client recompute the challenge before it signs. */
export const ActionChallenge = Type.Object(
  {
    challenge: Type.String({ description: "base64url of C, the digest of everything that is approved." }),
    challengeIdentifier: Type.String(),
    supportedCredentialKinds: Type.Array(
      Type.Object(
        { kind: Type.Literal("Key"), factor: Type.Literal("first"), requiresSecondFactor: Type.Literal(false) },
        STRICT,
      ),
    ),
    userVerification: Type.Literal("required"),
    attestation: Type.Literal("none"),
    allowCredentials: Type.Object({ key: Type.Array(CredentialRef), webauthn: Type.Array(CredentialRef) }, STRICT),
    externalAuthenticationUrl: Type.Literal(""),
    countersign: Type.Object(
      {
        v: Type.Literal(1),
        label: Type.Literal("countersign/user-action/v1"),
        deploymentId: Type.String(),
        orgId: Type.String(),
        principalId: Type.String(),
        appId: Type.String(),
        method: Type.String(),
        path: Type.String(),
        nonce: Type.String({ description: "base64url, 32 bytes." }),
        expiresAt: Type.Integer({ description: "Milliseconds since 1970." }),
      },
      STRICT,
    ),
  },
  STRICT,
);

/** Body of `POST /auth/action`. Kinds other than Key are read, so that they are refused for what they are. */
export const ActionBody = Type.Object(
  {
    challengeIdentifier: Type.String({ minLength: 1, maxLength: 4_096 }),
    firstFactor: Type.Object(
      {
        kind: Type.Union([
          Type.Literal("Key"),
          Type.Literal("Fido2"),
          Type.Literal("PasswordProtectedKey"),
          Type.Literal("RecoveryKey"),
        ]),
        credentialAssertion: Type.Object(
          {
            credId: Type.String({ minLength: 1, maxLength: CRED_ID_LENGTH_MAX }),
            clientData: Base64url(
              CLIENT_DATA_BYTES_MAX,
              "JSON with type key.get and the challenge; these bytes are what is signed.",
            ),
            signature: Base64url(SIGNATURE_BYTES_MAX, "Ed25519: 64 bytes. P-256: ASN.1 DER."),
            algorithm: Type.Optional(
              Type.String({ maxLength: 32, description: "Ignored: the algorithm is the credential's own." }),
            ),
            authenticatorData: Type.Optional(Base64url(4_096, "Passkeys only.")),
            userHandle: Type.Optional(Base64url(64, "Passkeys only.")),
          },
          STRICT,
        ),
      },
      STRICT,
    ),
  },
  STRICT,
);

/** Answer of `POST /auth/action`. */
export const UserAction = Type.Object(
  { userAction: Type.String({ description: "Single use, for the header x-dfns-useraction, within a minute." }) },
  STRICT,
);
