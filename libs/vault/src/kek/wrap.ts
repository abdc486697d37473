import { lengthPrefixed, Secret } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import { NONCE_SIZE, openAead, sealAead } from "../record/aead.ts";

/** Source of uniform random bytes. */
export type Rng = (size: number) => Uint8Array;

/** Wraps a data key under a KEK held in memory, bound to `kind` and context. */
export function wrapUnder(kek: Secret, options: WrapOptions & { readonly rng: Rng }, dataKey: Secret): Uint8Array {
  return sealAead({
    key: kek.expose(),
    nonce: options.rng(NONCE_SIZE),
    additionalData: additionalData(options),
    plaintext: dataKey.expose(),
  });
}

/** Unwraps; raises `kek_rejected`. */
export function unwrapUnder(kek: Secret, options: WrapOptions, wrapped: Uint8Array): Secret {
  const dataKey = openAead({ key: kek.expose(), additionalData: additionalData(options), sealed: wrapped });
  if (dataKey === undefined)
    throw vaultError(
      "kek_rejected",
      `The ${options.kind} KEK does not open this data key: another KEK, another node or deployment, or damage.`,
    );
  return new Secret(dataKey);
}

interface WrapOptions {
  readonly kind: string;
  readonly context: Uint8Array;
}

function additionalData({ kind, context }: WrapOptions): Uint8Array {
  return lengthPrefixed("countersign/vault/kek/v1", kind, context);
}
