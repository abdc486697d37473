import { randomBytes } from "node:crypto";
import {
  base64url,
  decodeBase64url,
  decodeUtf8,
  type JsonValue,
  lengthPrefixed,
  parseJson,
  Secret,
  utf8,
} from "@countersign/bytes";
import sodium from "libsodium-wrappers-sumo";
import { vaultError } from "../errors.ts";
import { NONCE_SIZE, openAead, prepareAead, sealAead } from "../record/aead.ts";
import type { KekProvider } from "./kek-provider.ts";
import { createPrivateFile, readPrivateFile } from "./private-file.ts";
import { unwrapUnder, wrapUnder } from "./wrap.ts";

const KIND = "passphrase";
const KEK_SIZE = 32;
const SALT_SIZE = 16;
/** The floor is RFC 9106's second recommended choice: 3 passes over 64 MiB. A file below it was weakened. */
const PASSES_MIN = 3;
const MEMORY_MIB_MIN = 64;
/** Ceilings, so that an edited file cannot keep a signer from starting: WebAssembly memory ends at 2 GiB. */
const PASSES_MAX = 16;
const MEMORY_MIB_MAX = 1024;
/** About a third of a second, paid once per start. More memory would stay with the process: WebAssembly memory never shrinks. */
const PASSES_DEFAULT = 3;
const MEMORY_MIB_DEFAULT = 64;
/** Shorter ones are guessed whatever Argon2id costs. */
const PASSPHRASE_SIZE_MIN = 12;
const PARAMETERS_SIZE_MAX = 1024;
/** The derived key seals this label into the parameters file, which tells a wrong passphrase from a damaged store. */
const CHECK = utf8("countersign/vault/passphrase-check/v1");

/** What makes a guess expensive; stored beside the salt. */
export interface PassphraseCost {
  /** Passes over the memory, 3..16. Default 3. */
  readonly passes?: number;
  /** Memory in MiB, 64..1024. Default 64. */
  readonly memoryMebibytes?: number;
}

interface Parameters {
  readonly passes: number;
  readonly memoryMebibytes: number;
  readonly salt: Uint8Array;
}

/**
 * A KEK derived from a passphrase by Argon2id (RFC 9106; libsodium, one lane) with the parameters and salt of a file made by
 * `createPassphraseKek`. Blocks the event loop for a third of a second or more: a start-up step. The KEK stays in memory; the caller keeps
 * the passphrase and wipes it. Raises `kek_file_invalid`, `kek_file_exposed`, `kek_parameters_invalid`, `passphrase_wrong`.
 */
export async function passphraseKek(options: {
  readonly passphrase: Secret;
  readonly parametersFile: string;
}): Promise<KekProvider> {
  await prepareAead();
  const { parameters, check } = await readParameters(options.parametersFile);
  const kek = derive(options.passphrase, parameters);
  const label = openAead({ key: kek.expose(), additionalData: checkedParameters(parameters), sealed: check });
  if (label === undefined) {
    kek.wipe();
    throw vaultError("passphrase_wrong", `The passphrase does not fit ${options.parametersFile}.`);
  }
  return {
    kind: KIND,
    wrap: async (dataKey, context) => wrapUnder(kek, { kind: KIND, context, rng: randomBytes }, dataKey),
    unwrap: async (wrapped, context) => unwrapUnder(kek, { kind: KIND, context }, wrapped),
  };
}

/**
 * Writes a new parameters file (fresh salt, mode 600) for `passphraseKek`; an existing one is never overwritten. Raises
 * `kek_file_invalid`, and `kek_parameters_invalid` for a cost out of bounds or a passphrase under 12 bytes.
 */
export async function createPassphraseKek(
  options: { readonly passphrase: Secret; readonly parametersFile: string } & PassphraseCost,
): Promise<void> {
  await prepareAead();
  const { passes = PASSES_DEFAULT, memoryMebibytes = MEMORY_MIB_DEFAULT, parametersFile } = options;
  const parameters = { passes, memoryMebibytes, salt: new Uint8Array(randomBytes(SALT_SIZE)) };
  requireInBounds(parameters, parametersFile);
  if (options.passphrase.expose().length < PASSPHRASE_SIZE_MIN)
    throw vaultError("kek_parameters_invalid", `The passphrase is shorter than ${PASSPHRASE_SIZE_MIN} bytes.`);
  using kek = derive(options.passphrase, parameters);
  const additionalData = checkedParameters(parameters);
  const check = sealAead({ key: kek.expose(), nonce: randomBytes(NONCE_SIZE), additionalData, plaintext: CHECK });
  const content = {
    algorithm: "argon2id",
    passes,
    memoryMebibytes,
    salt: base64url(parameters.salt),
    check: base64url(check),
  };
  await createPrivateFile(parametersFile, utf8(`${JSON.stringify(content)}\n`));
}

function derive(passphrase: Secret, { passes, memoryMebibytes, salt }: Parameters): Secret {
  const memory = memoryMebibytes * 1024 * 1024;
  const algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13;
  return new Secret(sodium.crypto_pwhash(KEK_SIZE, passphrase.expose(), salt, passes, memory, algorithm));
}

function checkedParameters({ passes, memoryMebibytes, salt }: Parameters): Uint8Array {
  return lengthPrefixed("countersign/vault/passphrase/v1", String(passes), String(memoryMebibytes), salt);
}

async function readParameters(path: string): Promise<{ parameters: Parameters; check: Uint8Array }> {
  const text = await readPrivateFile(path, PARAMETERS_SIZE_MAX);
  const invalid = (cause?: unknown) =>
    vaultError("kek_parameters_invalid", `${path} is not a passphrase parameters file.`, { cause });
  let json: JsonValue;
  try {
    json = parseJson(decodeUtf8(text));
  } catch (cause) {
    throw invalid(cause);
  }
  if (json === null || typeof json !== "object" || Array.isArray(json)) throw invalid();
  const { algorithm, passes, memoryMebibytes, salt, check, ...unknown } = json;
  if (algorithm !== "argon2id" || typeof passes !== "number" || typeof memoryMebibytes !== "number") throw invalid();
  if (typeof salt !== "string" || typeof check !== "string" || Object.keys(unknown).length > 0) throw invalid();
  try {
    const parameters = { passes, memoryMebibytes, salt: decodeBase64url(salt) };
    requireInBounds(parameters, path);
    return { parameters, check: decodeBase64url(check) };
  } catch (cause) {
    throw invalid(cause);
  }
}

function requireInBounds({ passes, memoryMebibytes, salt }: Parameters, path: string): void {
  const inBounds = (value: number, min: number, max: number) => Number.isInteger(value) && value >= min && value <= max;
  if (!inBounds(passes, PASSES_MIN, PASSES_MAX) || !inBounds(memoryMebibytes, MEMORY_MIB_MIN, MEMORY_MIB_MAX))
    throw vaultError(
      "kek_parameters_invalid",
      `${path}: Argon2id takes ${PASSES_MIN}..${PASSES_MAX} passes over ${MEMORY_MIB_MIN}..${MEMORY_MIB_MAX} MiB.`,
    );
  if (salt.length !== SALT_SIZE)
    throw vaultError("kek_parameters_invalid", `${path}: the salt is not ${SALT_SIZE} bytes long.`);
}
