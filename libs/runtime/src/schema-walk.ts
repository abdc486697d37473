/** The parts of JSON Schema that TypeBox writes for configuration files. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

/** Says in words what a schema asks for: its description when it has one. */
export function expectation(schema: SchemaNode): string {
  if (schema.description !== undefined) return schema.description;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(expectation).join(" or ");
  const { minimum, maximum } = schema;
  switch (schema.type) {
    case "string":
      if (schema.pattern !== undefined) return `text that matches ${schema.pattern}`;
      return schema.minLength === undefined ? "text" : "text that is not empty";
    case "integer":
      return `a whole number${minimum === undefined ? "" : ` from ${minimum}`}${maximum === undefined ? "" : ` to ${maximum}`}`;
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "array":
      return `a list${schema.minItems === undefined ? "" : ` of at least ${schema.minItems}`}`;
    case "object":
      return "an object";
    default:
      return "another value";
  }
}
