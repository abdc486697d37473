import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "@countersign/bytes";
import { parseDescriptor } from "./descriptor.ts";
import { apply, genesisIds } from "./state.ts";
import { descriptorJson, fileOf, fixture, seededKey, spkiOf } from "./testing/fixture.ts";

test("a descriptor makes one organisation whose service account may do everything", () => {
  const { descriptor, ids, state } = fixture();

  assert.equal(state.deploymentId, "dep-test");
  assert.deepEqual([...state.organisations.keys()], [ids.orgId]);
  const organisation = state.organisations.get(ids.orgId);
  assert.deepEqual([...(organisation?.applications.values() ?? [])], [{ appId: ids.appId, active: true, origins: [] }]);
  assert.deepEqual(organisation?.principals.get(ids.principalId), {
    principalId: ids.principalId,
    active: true,
    permissions: "all",
  });
  assert.deepEqual(organisation?.credentials.get(ids.credId), {
    credId: ids.credId,
    credentialUuid: ids.credentialUuid,
    principalId: ids.principalId,
    kind: "Key",
    key: descriptor.organisation.credentialKey,
    active: true,
    confirmed: true,
  });
});

test("both heads are SHA-256 of the descriptor file", () => {
  const file = fileOf(descriptorJson(spkiOf(seededKey(1))));

  const state = apply(parseDescriptor(file));

  assert.deepEqual(state.deploymentHead, sha256(file));
  assert.deepEqual(
    [...state.organisations.values()].map(({ head }) => head),
    [sha256(file)],
  );
});

test("genesis ids stay what they are for a deployment and a key", () => {
  // Computed with another program from the architecture's section 6.
  assert.deepEqual(fixture().ids, {
    orgId: "or-6rvks-5s3fq-tvwkdihbuaivqns7",
    principalId: "us-i3xb6-kmx22-eopaitsym6ld6u4o",
    appId: "ap-gsec5-4ptsk-vfpj5umwmqrf3cbl",
    credId: "_RENMB0vB33hQUuPmfRBsUA_qyB7IFL70sBl5O6OfcI",
    credentialUuid: "cr-xb5tb-nmqzp-awkl37ivf3yyqsof",
    fingerprint: "fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2",
  });
});

test("genesis ids change with the deployment and with the key, and not with names or nodes", () => {
  const json = descriptorJson(spkiOf(seededKey(1)));
  const idsOf = (changed: object) => genesisIds(parseDescriptor(fileOf({ ...json, ...changed })));
  const { orgId } = idsOf({});

  assert.notEqual(idsOf({ deploymentId: "dep-other" }).orgId, orgId);
  assert.notEqual(fixture(seededKey(2)).ids.orgId, orgId);
  assert.equal(idsOf({ threshold: 3, organisation: { ...json.organisation, name: "Other" } }).orgId, orgId);
});
