import { concatBytes, decodeUtf8, equalBytes, Secret, u16be, u32be, utf8 } from "@countersign/bytes";
import { ByteReader } from "../byte-reader.ts";
import { gadgetOf } from "../ecdsa/gadget.ts";
import { COLUMNS, SUITE, WORD_SIZE } from "../ecdsa/parameters.ts";
import type { ReceivingSide, SendingSide } from "../ecdsa/rvole.ts";
import { TH } from "../ecdsa/transcript.ts";
import { thresholdError } from "../errors.ts";

/** A link epoch is encoded in four bytes. */
export const LINK_EPOCH_MAX = 0xffff_ffff;
const NODE_ID_BYTES_MAX = 255;
const NABLA_BYTES = COLUMNS / 8;
const SEED_BYTES = COLUMNS * WORD_SIZE;

/** What both nodes of a link compare before anything rests on it: one fingerprint per direction, 32 bytes each. */
export interface LinkFingerprints {
  /** pairFp(self <- peer): this node is the receiver of multiplications. */
  readonly receiving: Uint8Array;
  /** pairFp(peer <- self). */
  readonly sending: Uint8Array;
}

/** Everything a link is made of. All but epoch, node ids and fingerprints is as sensitive as key shares. */
export interface LinkFacts {
  readonly linkEpoch: number;
  /** Node ids as the deployment descriptor writes them. */
  readonly self: string;
  readonly peer: string;
  readonly fingerprints: LinkFingerprints;
  /** pairSid of each direction, public. */
  readonly pairSids: LinkFingerprints;
  /** Both seeds of each base OT, 8,192 bytes. */
  readonly receivingSeeds: Secret;
  /** The chosen seed of each base OT, 4,096 bytes. */
  readonly sendingSeeds: Secret;
  /** 16 bytes. */
  readonly nabla: Secret;
  /** lz, from which every key's zero shares come, 32 bytes. */
  readonly zeroSeed: Secret;
}

/** A key as zero shares are bound to it. */
export interface ZeroSeedKey {
  readonly keyId: string;
  readonly epoch: number;
  /** tau of the ceremony that created the epoch. */
  readonly tau: Uint8Array;
}

/**
 * What two nodes hold about each other for ECDSA (ECDSA specification, section 2.3): base-OT seeds of both directions and a zero-share
 * seed. Made once per pair of nodes by `establishLink`, serves every key, dies by `wipe`. Prints no secret.
 */
export class Link {
  readonly linkEpoch: number;
  readonly self: string;
  readonly peer: string;
  readonly fingerprints: LinkFingerprints;
  readonly #facts: LinkFacts;
  #gadgets: { readonly receiving: Float64Array; readonly sending: Float64Array } | undefined;

  /** Takes ownership of the secrets. */
  constructor(facts: LinkFacts) {
    this.linkEpoch = facts.linkEpoch;
    this.self = facts.self;
    this.peer = facts.peer;
    this.fingerprints = facts.fingerprints;
    this.#facts = facts;
  }

  /** This node's part where it receives. Throws once wiped. */
  receivingSide(): ReceivingSide {
    return { seeds: this.#facts.receivingSeeds.expose(), gadget: this.#publicWeights().receiving };
  }

  /** This node's part where it sends. Throws once wiped. */
  sendingSide(): SendingSide {
    const { sendingSeeds, nabla } = this.#facts;
    return { seeds: sendingSeeds.expose(), nabla: nabla.expose(), gadget: this.#publicWeights().sending };
  }

  /** zs = TH("zs", lz, linkEpoch, keyId, epoch, dkgSid): computed for one session, never stored. The caller wipes it. */
  zeroSeedOf({ keyId, epoch, tau }: ZeroSeedKey): Uint8Array {
    return TH("zs", this.#facts.zeroSeed.expose(), this.linkEpoch, keyId, epoch, tau);
  }

  /** The link's one encoding, about 12.5 kB, for sealing. As sensitive as a key share; the caller wipes it. */
  encode(): Uint8Array {
    const { linkEpoch, self, peer, fingerprints, pairSids, receivingSeeds, sendingSeeds, nabla, zeroSeed } =
      this.#facts;
    return concatBytes(
      u16be(SUITE),
      u32be(linkEpoch),
      textField(self),
      textField(peer),
      fingerprints.receiving,
      fingerprints.sending,
      pairSids.receiving,
      pairSids.sending,
      receivingSeeds.expose(),
      sendingSeeds.expose(),
      nabla.expose(),
      zeroSeed.expose(),
    );
  }

  /** Reads what `encode` wrote; raises `link_record_invalid` for anything else. */
  static decode(bytes: Uint8Array): Link {
    const reader = new ByteReader(bytes, damaged);
    if (reader.u16() !== SUITE) throw damaged("its suite is unknown");
    const ends = { linkEpoch: reader.u32(), self: readText(reader), peer: readText(reader) };
    if (ends.linkEpoch === 0) throw damaged("there is no link epoch 0");
    if (ends.self === ends.peer) throw damaged("both ends are the same node");
    const link = new Link({
      ...ends,
      fingerprints: { receiving: reader.take(WORD_SIZE), sending: reader.take(WORD_SIZE) },
      pairSids: { receiving: reader.take(WORD_SIZE), sending: reader.take(WORD_SIZE) },
      receivingSeeds: new Secret(reader.take(2 * SEED_BYTES)),
      sendingSeeds: new Secret(reader.take(SEED_BYTES)),
      nabla: new Secret(reader.take(NABLA_BYTES)),
      zeroSeed: new Secret(reader.take(WORD_SIZE)),
    });
    reader.finish();
    return link;
  }

  /** Destroys the seeds: after a ban, or when a renewed link is active on both sides. */
  wipe(): void {
    const { receivingSeeds, sendingSeeds, nabla, zeroSeed } = this.#facts;
    for (const secret of [receivingSeeds, sendingSeeds, nabla, zeroSeed]) secret.wipe();
  }

  #publicWeights() {
    const { pairSids } = this.#facts;
    this.#gadgets ??= { receiving: gadgetOf(pairSids.receiving), sending: gadgetOf(pairSids.sending) };
    return this.#gadgets;
  }
}

/** Whether a peer's fingerprints are this link's, seen from the other end. */
export function fingerprintsAgree(own: LinkFingerprints, peers: LinkFingerprints): boolean {
  return equalBytes(own.receiving, peers.sending) && equalBytes(own.sending, peers.receiving);
}

function textField(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length > NODE_ID_BYTES_MAX) throw new RangeError(`A node id has at most ${NODE_ID_BYTES_MAX} bytes.`);
  return concatBytes(u16be(bytes.length), bytes);
}

function damaged(why: string) {
  return thresholdError("link_record_invalid", `A link's record does not decode: ${why}.`);
}

function readText(reader: ByteReader): string {
  const size = reader.u16();
  if (size > NODE_ID_BYTES_MAX) throw damaged("a node id is too long");
  const bytes = reader.take(size);
  try {
    return decodeUtf8(bytes, "node id");
  } catch {
    throw damaged("a node id is not UTF-8");
  }
}
