import assert from "node:assert/strict";
import { test } from "node:test";
import { base64url, hex, sha256, utf8 } from "@countersign/bytes";
import { CountersignError } from "@countersign/errors";
import fc from "fast-check";
import { descriptorHash, parseDescriptor } from "./descriptor.ts";
import {
  type DescriptorJson,
  descriptorJson,
  fileOf,
  freshP256Key,
  natsUserText,
  rawPublicKey,
  seededKey,
  spkiOf,
} from "./testing/fixture.ts";
import { refused } from "./testing/refused.ts";

/** The identity, which verifies anything. */
const SMALL_ORDER = "01".padEnd(64, "0");

const json = () => descriptorJson(spkiOf(seededKey(1)));
const at = <T>(list: readonly T[], place: number): T => {
  const element = list[place];
  assert.ok(element !== undefined);
  return element;
};
/** A good descriptor with one thing bent. */
const bent = (bend: (descriptor: DescriptorJson) => unknown) => {
  const descriptor = json();
  bend(descriptor);
  return () => parseDescriptor(fileOf(descriptor));
};

test("a descriptor is read into its parts", () => {
  const file = fileOf(json());

  const { version, deploymentId, threshold, nodes, operators, organisation, hash } = parseDescriptor(file);

  assert.deepEqual([version, deploymentId, threshold], [1, "dep-test", 2]);
  assert.deepEqual(
    nodes.map(({ index, id, region }) => [index, id, region]),
    [
      [1, "node-1", "eu-west"],
      [2, "node-2", "us-east"],
      [3, "node-3", "ap-south"],
    ],
  );
  assert.deepEqual(at(nodes, 1).identityKey, rawPublicKey(seededKey(12)));
  assert.equal(at(nodes, 2).natsKey, natsUserText(rawPublicKey(seededKey(53))));
  assert.deepEqual(
    operators.map(({ nodeId }) => nodeId),
    ["node-1", "node-2", "node-3"],
  );
  assert.deepEqual(at(operators, 0).publicKey, rawPublicKey(seededKey(101)));
  assert.equal(organisation.name, "Example");
  assert.equal(organisation.credentialKey.algorithm, "Ed25519");
  assert.deepEqual(hash, sha256(file));
  assert.deepEqual(descriptorHash(file), sha256(file));
});

test("the hash is of the file's bytes: another spelling of the same descriptor is another deployment state", () => {
  const spaced = utf8(JSON.stringify(json(), null, 2));

  assert.notEqual(hex(parseDescriptor(spaced).hash), hex(parseDescriptor(fileOf(json())).hash));
});

test("thresholds from 2 to n are accepted, others refused", () => {
  for (const threshold of [2, 3]) bent((d) => Object.assign(d, { threshold }))();
  for (const threshold of [0, 1, 4, -2, 2.5, "2", null])
    refused(
      bent((d) => Object.assign(d, { threshold })),
      "descriptor_invalid",
      String(threshold),
    );
});

test("fewer than two and more than 32 nodes are refused", () => {
  const count = (n: number) => {
    const node = (place: number) => ({
      index: place + 1,
      id: `node-${place + 1}`,
      region: "eu",
      identityKey: hex(rawPublicKey(seededKey(place + 11))),
      natsKey: natsUserText(rawPublicKey(seededKey(place + 51))),
    });
    const operator = (place: number) => ({
      nodeId: `node-${place + 1}`,
      publicKey: hex(rawPublicKey(seededKey(place + 101))),
    });
    const list = <T>(make: (place: number) => T) => Array.from({ length: n }, (_, place) => make(place));
    return () => parseDescriptor(fileOf({ ...json(), nodes: list(node), operators: list(operator) }));
  };
  count(2)();
  count(32)();
  refused(count(1), "descriptor_invalid");
  refused(count(33), "descriptor_invalid");
});

test("node indexes are 1 to n in order: 0, gaps, duplicates and another order are refused (P8)", () => {
  const others = [
    [0, 1, 2],
    [1, 2, 4],
    [1, 1, 2],
    [2, 1, 3],
    [1, 2, 2],
    ["1", "2", "3"],
    [1, 2, 3.5],
  ];
  for (const indexes of others) {
    const reindexed = json().nodes.map((node, place) => ({ ...node, index: indexes[place] }));
    refused(
      bent((d) => Object.assign(d, { nodes: reindexed })),
      "descriptor_invalid",
      indexes.join(),
    );
  }
});

test("ids that would mean something else in a subject, a URI or a path are refused", () => {
  for (const name of ["", "a.b", "a*", ">", "a b", "A", "-a", "a/b", "..", "é", "x".repeat(64), "a\n", "_a", 7, null]) {
    refused(
      bent((d) => Object.assign(d, { deploymentId: name })),
      "descriptor_invalid",
      `deployment ${name}`,
    );
    refused(
      bent((d) => Object.assign(at(d.nodes, 0), { region: name })),
      "descriptor_invalid",
      `region ${name}`,
    );
    refused(
      bent((d) => {
        Object.assign(at(d.nodes, 0), { id: name });
        Object.assign(at(d.operators, 0), { nodeId: name });
      }),
      "descriptor_invalid",
      `node ${name}`,
    );
  }
});

test("identity and operator keys of small order, with second spellings or of another length are refused (A8)", () => {
  for (const key of [SMALL_ORDER, "0".repeat(64), `ed${"ff".repeat(30)}7f`, "ab", ""]) {
    refused(
      bent((d) => Object.assign(at(d.nodes, 0), { identityKey: key })),
      "descriptor_invalid",
      `node ${key}`,
    );
    refused(
      bent((d) => Object.assign(at(d.operators, 0), { publicKey: key })),
      "descriptor_invalid",
      `operator ${key}`,
    );
  }
  refused(
    bent((d) => Object.assign(at(d.nodes, 0), { identityKey: at(d.nodes, 0).identityKey.toUpperCase() })),
    "encoding_invalid",
  );
});

test("NATS keys that are no user's key, or of small order, are refused", () => {
  for (const natsKey of [
    "",
    "UA",
    at(json().nodes, 0).natsKey.toLowerCase(),
    natsUserText(Buffer.from(SMALL_ORDER, "hex")),
  ])
    refused(
      bent((d) => Object.assign(at(d.nodes, 0), { natsKey })),
      "descriptor_invalid",
      natsKey,
    );
});

test("a node id, NATS key or signing key used twice is refused", () => {
  refused(
    bent((d) => {
      Object.assign(at(d.nodes, 1), { id: "node-1" });
      Object.assign(at(d.operators, 1), { nodeId: "node-1" });
    }),
    "descriptor_invalid",
    "node id",
  );
  refused(
    bent((d) => Object.assign(at(d.nodes, 1), { natsKey: at(d.nodes, 0).natsKey })),
    "descriptor_invalid",
    "NATS key",
  );
  refused(
    bent((d) => Object.assign(at(d.nodes, 1), { identityKey: at(d.nodes, 0).identityKey })),
    "descriptor_invalid",
    "identity",
  );
  refused(
    bent((d) => Object.assign(at(d.operators, 1), { publicKey: at(d.operators, 0).publicKey })),
    "descriptor_invalid",
    "operator",
  );
  refused(
    bent((d) => Object.assign(at(d.operators, 0), { publicKey: at(d.nodes, 2).identityKey })),
    "descriptor_invalid",
    "both",
  );
});

test("one key in two roles is refused, whatever its spelling: a hostile bus chooses what an nkey signs", () => {
  const identity = (d: DescriptorJson) => Buffer.from(at(d.nodes, 0).identityKey, "hex");
  const roles: Record<string, (d: DescriptorJson) => unknown> = {
    "identity and own NATS key": (d) => Object.assign(at(d.nodes, 0), { natsKey: natsUserText(identity(d)) }),
    "identity and another's NATS key": (d) => Object.assign(at(d.nodes, 1), { natsKey: natsUserText(identity(d)) }),
    "operator and NATS key": (d) => Object.assign(at(d.operators, 2), { publicKey: hex(rawPublicKey(seededKey(51))) }),
    "credential and identity": (d) => withCredential(d, 11),
    "credential and NATS key": (d) => withCredential(d, 52),
    "credential and operator": (d) => withCredential(d, 103),
  };
  const withCredential = (d: DescriptorJson, seed: number) =>
    Object.assign(d.organisation, { credentialKey: base64url(spkiOf(seededKey(seed))) });
  for (const [name, bend] of Object.entries(roles)) refused(bent(bend), "descriptor_invalid", name);
});

test("every node has one operator, in the nodes' order", () => {
  refused(
    bent((d) => d.operators.pop()),
    "descriptor_invalid",
  );
  refused(
    bent((d) => d.operators.push({ nodeId: "node-3", publicKey: hex(rawPublicKey(seededKey(120))) })),
    "descriptor_invalid",
  );
  refused(
    bent((d) => d.operators.reverse()),
    "descriptor_invalid",
  );
  refused(
    bent((d) => Object.assign(at(d.operators, 0), { nodeId: "node-9" })),
    "descriptor_invalid",
  );
});

test("the organisation has a name and a valid credential key", () => {
  const p256 = bent((d) => Object.assign(d.organisation, { credentialKey: base64url(spkiOf(freshP256Key())) }))();
  assert.equal(p256.organisation.credentialKey.algorithm, "P-256");
  for (const name of ["", "x".repeat(101), 7])
    refused(
      bent((d) => Object.assign(d.organisation, { name })),
      "descriptor_invalid",
    );
  const degenerate = base64url(Buffer.from(`302a300506032b6570032100${SMALL_ORDER}`, "hex"));
  refused(
    bent((d) => Object.assign(d.organisation, { credentialKey: degenerate })),
    "public_key_invalid",
  );
  refused(
    bent((d) => Object.assign(d.organisation, { credentialKey: "" })),
    "public_key_invalid",
  );
  refused(
    bent((d) => Object.assign(d.organisation, { credentialKey: `${d.organisation.credentialKey}=` })),
    "encoding_invalid",
  );
});

test("unknown and missing members are refused on every level", () => {
  const levels: ((descriptor: DescriptorJson) => object)[] = [
    (d) => d,
    (d) => at(d.nodes, 0),
    (d) => at(d.operators, 0),
    (d) => d.organisation,
  ];
  for (const level of levels) {
    refused(
      bent((d) => Object.assign(level(d), { extra: 1 })),
      "descriptor_invalid",
    );
    for (const name of Object.keys(level(json())))
      refused(
        bent((d) => Reflect.deleteProperty(level(d), name)),
        "descriptor_invalid",
        name,
      );
  }
});

test("another version is refused", () => {
  for (const version of [0, 2, "1", null])
    refused(
      bent((d) => Object.assign(d, { version })),
      "descriptor_invalid",
    );
});

test("files that are not strict UTF-8 and JSON, or too long, are refused", () => {
  const text = JSON.stringify(json());
  refused(() => parseDescriptor(utf8(`${text}x`)), "encoding_invalid");
  refused(() => parseDescriptor(utf8(text.replace("{", '{"version":1,'))), "encoding_invalid");
  refused(() => parseDescriptor(Uint8Array.of(0x22, 0xff, 0x22)), "encoding_invalid");
  refused(() => parseDescriptor(new Uint8Array(0)), "encoding_invalid");
  refused(() => parseDescriptor(utf8("[]")), "descriptor_invalid");
  parseDescriptor(utf8(text.padEnd(65_536)));
  refused(() => parseDescriptor(utf8(text.padEnd(65_537))), "descriptor_invalid");
});

test("any file is a descriptor or refused with a typed error", () => {
  const text = JSON.stringify(json());
  const mutated = fc.tuple(fc.nat({ max: text.length - 1 }), fc.nat({ max: 20 }), fc.string({ maxLength: 6 }));
  const file = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((one) => Uint8Array.from(Buffer.from(one))),
    mutated.map(([from, length, insert]) =>
      Uint8Array.from(Buffer.from(text.slice(0, from) + insert + text.slice(from + length))),
    ),
  );
  fc.assert(
    fc.property(file, (bytes) => {
      try {
        parseDescriptor(bytes);
      } catch (error) {
        assert.ok(error instanceof CountersignError, String(error));
      }
    }),
    { numRuns: 200 },
  );
});
