import { concatBytes, lengthPrefixed, type Secret, u32be } from "@countersign/bytes";
import { vaultError } from "../errors.ts";
import type { Rng } from "../kek/wrap.ts";
import { NONCE_SIZE, openAead, sealAead } from "./aead.ts";

/** Layout of a sealed record: version ‖ u32be data key version ‖ nonce ‖ ciphertext ‖ tag. Part of the additional data. */
const FORMAT_VERSION = 1;
const PREFIX_SIZE = 5;

/** Where a record belongs. It opens nowhere else: every field is additional data of the seal. */
export interface RecordPlace {
  /** Kind of record, `share` for example. */
  readonly kind: string;
  /** The record's key in the store. */
  readonly row: string;
  /** Key that the record is about; empty when none. */
  readonly keyId?: string;
  /** C of the key's creation, 32 bytes. */
  readonly c?: Uint8Array;
  readonly owner?: string;
  readonly purpose?: string;
  readonly epoch?: number;
  /** Hash of what else the record must stay with, 32 bytes. */
  readonly birth?: Uint8Array;
}

/** Seals and opens a store's records under its data keys. */
export interface Sealer {
  /** Seals under the newest data key. */
  seal(place: RecordPlace, plaintext: Uint8Array): Uint8Array;
  /** Opens; raises `record_rejected` for damage and for any other place, node, deployment or data key. */
  open(place: RecordPlace, sealed: Uint8Array): Uint8Array;
  /** Wipes the data keys; nothing seals or opens any more. */
  wipe(): void;
}

/**
 * Makes the sealer of one node's store: XChaCha20-Poly1305 with a random nonce per record. `dataKeys` are taken over, by
 * version from 1; the newest seals, all open, so that a rotation can re-seal at leisure.
 */
export function sealer(options: {
  readonly deploymentId: string;
  readonly nodeId: string;
  readonly dataKeys: ReadonlyMap<number, Secret>;
  readonly rng: Rng;
}): Sealer {
  const { deploymentId, nodeId, dataKeys, rng } = options;
  const newest = Math.max(...dataKeys.keys());
  const additionalData = (place: RecordPlace, prefix: Uint8Array) =>
    lengthPrefixed(
      "countersign/vault/record/v1",
      deploymentId,
      nodeId,
      place.kind,
      place.keyId ?? "",
      place.c ?? "",
      place.owner ?? "",
      place.purpose ?? "",
      u32be(place.epoch ?? 0),
      prefix,
      place.row,
      place.birth ?? "",
    );
  return {
    seal(place, plaintext) {
      const prefix = concatBytes(Uint8Array.of(FORMAT_VERSION), u32be(newest));
      const key = dataKey(dataKeys, newest, place).expose();
      const sealed = sealAead({
        key,
        nonce: rng(NONCE_SIZE),
        additionalData: additionalData(place, prefix),
        plaintext,
      });
      return concatBytes(prefix, sealed);
    },
    open(place, record) {
      if (record.length < PREFIX_SIZE) throw rejected(place);
      // Another format version fails like any other change: the prefix is additional data.
      const prefix = record.subarray(0, PREFIX_SIZE);
      const key = dataKey(dataKeys, Buffer.from(prefix).readUInt32BE(1), place).expose();
      const sealed = record.subarray(PREFIX_SIZE);
      const plaintext = openAead({ key, additionalData: additionalData(place, prefix), sealed });
      if (plaintext === undefined) throw rejected(place);
      return plaintext;
    },
    wipe() {
      for (const key of dataKeys.values()) key.wipe();
    },
  };
}

function dataKey(dataKeys: ReadonlyMap<number, Secret>, version: number, place: RecordPlace): Secret {
  const key = dataKeys.get(version);
  if (key === undefined) throw rejected(place);
  return key;
}

function rejected(place: RecordPlace) {
  return vaultError(
    "record_rejected",
    `Record ${place.row} does not open: it was damaged, moved, or sealed elsewhere.`,
    {
      details: { row: place.row },
    },
  );
}
