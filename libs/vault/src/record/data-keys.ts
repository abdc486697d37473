import { lengthPrefixed, Secret, u32be } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import type { KekProvider } from "../kek/kek-provider.ts";
import type { Rng } from "../kek/wrap.ts";
import type { Row } from "../store/vault-store.ts";

const DATA_KEY_SIZE = 32;
/** Store keys of the wrapped data keys; the version follows as 8 hex digits. */
export const DATA_KEY_PREFIX = "data-key/";
/** Data keys of one store: the newest and those whose records are not re-sealed yet. */
export const DATA_KEYS_MAX = 16;

interface DataKeyOptions {
  readonly kek: KekProvider;
  readonly deploymentId: string;
  readonly nodeId: string;
}

/** Draws a store's first data key, version 1, and returns its wrapped row. */
export async function createDataKey(options: DataKeyOptions & { readonly rng: Rng }): Promise<Row> {
  using dataKey = new Secret(options.rng(DATA_KEY_SIZE));
  const value = await options.kek.wrap(dataKey, context(options, 1));
  return { key: rowOf(1), value };
}

/** Unwraps a store's data keys, by version. Raises `kek_rejected` unless every one opens. */
export async function unwrapDataKeys(
  options: DataKeyOptions & { readonly rows: readonly Row[] },
): Promise<ReadonlyMap<number, Secret>> {
  const { kek, rows } = options;
  const dataKeys = new Map<number, Secret>();
  try {
    for (const { key, value } of rows) {
      const version = Number.parseInt(key.slice(DATA_KEY_PREFIX.length), 16);
      // Whatever the row's name says: the version is part of the context, so that a renamed row does not unwrap.
      dataKeys.set(version, await kek.unwrap(value, context(options, version)));
    }
  } catch (error) {
    for (const dataKey of dataKeys.values()) dataKey.wipe();
    throw error;
  }
  if (dataKeys.size === 0) throw vaultError("kek_rejected", "The store has lost its data key.");
  return dataKeys;
}

function context({ deploymentId, nodeId }: DataKeyOptions, version: number): Uint8Array {
  return lengthPrefixed("countersign/vault/data-key/v1", deploymentId, nodeId, u32be(version));
}

function rowOf(version: number): string {
  return DATA_KEY_PREFIX + version.toString(16).padStart(8, "0");
}
