import { decodeUtf8, type JsonValue, parseJson } from "@countersign/bytes";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { apiError } from "./errors.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The body's text as it arrived. Empty before parsing and for requests without a body. */
    bodyText: string;
  }
}

/** As large as the largest payload that can be approved. */
export const BODY_BYTES_MAX = 262_144;

const CONTENT_TYPE = /^application\/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?\s*$/i;

/**
 * Reads bodies as strict JSON and keeps their text, because an approval covers the text. Duplicate keys, numbers in other than
 * their one spelling, malformed UTF-8: `encoding_invalid`. Any other content type: `content_type_unsupported`.
 */
export function readJsonBodies(app: FastifyInstance): void {
  app.decorateRequest("bodyText", "");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer", bodyLimit: BODY_BYTES_MAX },
    async (request: FastifyRequest, body: Buffer): Promise<JsonValue> => {
      if (!CONTENT_TYPE.test(request.headers["content-type"] ?? ""))
        throw apiError("content_type_unsupported", "Send bodies as application/json in UTF-8.");
      request.bodyText = decodeUtf8(body, "body");
      return parseJson(request.bodyText, "body");
    },
  );
}
