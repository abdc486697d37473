import { settings } from "@countersign/runtime";
import { type Static, Type } from "typebox";

/** Configuration file of the API; all paths absolute. */
export const ApiConfig = Type.Object(
  {
    /** Deployment descriptor. */
    descriptor: settings.path,
    /** Where HTTP is served; TLS towards clients is the business of what stands in front. */
    listen: settings.listen,
    /** The store. */
    database: Type.String({ pattern: "^pglite:/", description: "pglite: and an absolute folder" }),
    /** Folder of this user's in which a new embedded database is kept once, to be copied by later first starts. Default: none. */
    databaseTemplates: Type.Optional(settings.path),
    /** Orchestrators, any of which may take any request. */
    orchestrators: Type.Array(Type.String({ pattern: "^[^\\s/]+:[0-9]{1,5}$", description: "host:port" }), {
      minItems: 1,
    }),
    /** This API's own certificate towards the orchestrators. */
    tls: settings.tls,
    /** Ed25519 key that signs tokens, PKCS#8 PEM. */
    tokenKey: settings.path,
    /** Default `info`. */
    logLevel: Type.Optional(settings.logLevel),
  },
  { additionalProperties: false },
);

export type ApiConfig = Static<typeof ApiConfig>;
