import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_countersign_common_v1_session, type SignedMessageSchema } from "@countersign/proto/session";
import type { ServiceDescriptor } from "../service.ts";

type Probe = {
  echo: { methodKind: "unary"; input: typeof SignedMessageSchema; output: typeof SignedMessageSchema };
  flow: { methodKind: "server_streaming"; input: typeof SignedMessageSchema; output: typeof SignedMessageSchema };
};

const SIGNED_MESSAGE = ".countersign.common.v1.SignedMessage";

/** A service for tests with both kinds of methods over a message of three byte fields. Built here because no contract of ours streams. */
export const ProbeService = probeService();

function probeService(): ServiceDescriptor<Probe> {
  const file = create(FileDescriptorProtoSchema, {
    name: "countersign/probe/v1/probe.proto",
    package: "countersign.probe.v1",
    syntax: "proto3",
    dependency: ["countersign/common/v1/session.proto"],
    service: [
      {
        name: "ProbeService",
        method: [
          { name: "Echo", inputType: SIGNED_MESSAGE, outputType: SIGNED_MESSAGE },
          { name: "Flow", inputType: SIGNED_MESSAGE, outputType: SIGNED_MESSAGE, serverStreaming: true },
        ],
      },
    ],
  });
  const service = createFileRegistry(file, () => file_countersign_common_v1_session).getService(
    "countersign.probe.v1.ProbeService",
  );
  if (service === undefined) throw new Error("The probe service was not built.");
  return service as unknown as ServiceDescriptor<Probe>;
}
