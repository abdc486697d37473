import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";

/** Every error of every operation. */
export const ErrorAnswerSchema = Type.Object(
  {
    error: Type.Object(
      {
        id: Type.String({ description: "The request's id, also in x-request-id and in the log." }),
        status: Type.Integer(),
        code: Type.String({ description: "Stable; docs/errors.md has an entry per code." }),
        message: Type.String(),
        details: Type.Object({}, { additionalProperties: true }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** Answers of an operation: its own and the errors. */
export function answers<T>(success: T) {
  return { 200: success, "4xx": ErrorAnswerSchema, "5xx": ErrorAnswerSchema };
}

/** Operations that need the bearer token. */
export const BEARER = [{ bearer: [] }];
/** Operations that need the bearer token and an approval of exactly this request. */
export const APPROVED = [{ bearer: [], userAction: [] }];

/** Makes the routes' schemas the OpenAPI document; registered before the routes. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Countersign API",
        version: "0.1.0",
        description:
          "Keys whose shares never meet, and signatures that nodes make only for what a credential approved.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
          userAction: {
            type: "apiKey",
            in: "header",
            name: "x-dfns-useraction",
            description:
              "Single-use token of POST /auth/action, for exactly the method, path and body that were approved.",
          },
        },
      },
    },
  });
}
