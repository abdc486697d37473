import { settings } from "@countersign/runtime";
import { type Static, Type } from "typebox";

/** Configuration file of a signer. */
export const SignerConfig = Type.Object(
  {
    nodeId: Type.String({ minLength: 1, description: "which node of the descriptor this is" }),
    descriptor: settings.path,
    identitySeed: Type.String({ pattern: "^/", description: "an absolute path of a file with 32 bytes in hex" }),
    nats: settings.nats,
    listen: settings.listen,
    tls: settings.tls,
    store: Type.String({ pattern: "^/", description: "an absolute path of the vault's SQLite file" }),
    storeMark: Type.Optional(
      Type.String({
        pattern: "^/",
        description: "an absolute path of a note that the store was made, best on another disk",
      }),
    ),
    kek: Type.Union([
      Type.Object({ provider: Type.Literal("file"), path: settings.path }, { additionalProperties: false }),
      Type.Object(
        { provider: Type.Literal("passphrase"), passphraseFile: settings.path, parametersFile: settings.path },
        { additionalProperties: false },
      ),
    ]),
    logLevel: Type.Optional(settings.logLevel),
  },
  { additionalProperties: false },
);

export type SignerConfig = Static<typeof SignerConfig>;
