// The contract as it is read at the start: nothing about an RPC is written down a second time.

import { fileURLToPath } from 'node:url';

import * as grpc from '@grpc/grpc-js';
import * as loader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const FOLDER = process.env.DELPHIS_PROTOS ?? fileURLToPath(new URL('../../../protos', import.meta.url));
const FILES = [
  'delphis/driver/v1/storage_driver.proto',
  'google/rpc/status.proto',
  'google/rpc/error_details.proto',
];

export const SERVICE = 'delphis.driver.v1.StorageDriver';

export const definition = loader.loadSync(FILES, {
  includeDirs: [FOLDER], keepCase: true, longs: String, enums: String, oneofs: true, arrays: true, objects: true,
});

const root = new protobuf.Root();
root.resolvePath = (_, target) => `${FOLDER}/${target}`;
root.loadSync(FILES, { keepCase: true }).resolveAll();

/** An RPC of the contract. */
export interface Method {
  name: string;
  streams: boolean;
  /** Milliseconds that a call gets which comes without a deadline. */
  defaultDeadline: number;
}

type Options = Record<string, unknown> | undefined;

/** An option of ours; within its own package it may be written without the package's name. */
function option(options: Options, name: string): unknown {
  return options?.[`(delphis.type.v1.${name})`] ?? options?.[`(${name})`];
}

export const methods: Method[] = root.lookupService(SERVICE).methodsArray.map((method) => {
  const deadline = (method.options as Options)?.['(delphis.type.v1.default_deadline).seconds'];
  return { name: method.name, streams: method.responseStream === true, defaultDeadline: Number(deadline ?? 60) * 1000 };
});

export const service = definition[SERVICE] as grpc.ServiceDefinition;

const reasons = root.lookupEnum('delphis.type.v1.Reason');

/** The canonical code of a reason: the contract says it, as an option of the enum's value. */
export function codeOf(reason: string): grpc.status {
  const options = reasons.valuesOptions?.[`REASON_${reason}`] as Options;
  return Number(option(options, 'code') ?? grpc.status.INTERNAL);
}

/** Serialises a message of the contract. */
export function encode(type: string, message: object): Uint8Array {
  const found = root.lookupType(type);
  return found.encode(found.fromObject(message)).finish();
}

/** The texts in a message that the contract marks as secret. Values of secret maps whose keys are in `plain` are none. */
export function secretsOf(type: string, message: object, plain: ReadonlySet<string> = new Set()): string[] {
  const found: string[] = [];
  for (const field of root.lookupType(type).fieldsArray) {
    const value = (message as Record<string, unknown>)[field.name];
    const secret = option(field.options, 'secret') === true;
    if (value === undefined || value === null) continue;
    if (field.map && secret) {
      for (const [key, text] of Object.entries(value)) if (!plain.has(key)) found.push(String(text));
    } else if (field.resolvedType instanceof protobuf.Type && !field.map && !field.repeated) {
      // Target.access_info is secret as a whole, yet not every text in it is one.
      found.push(...secretsOf(field.resolvedType.fullName, value as object, plain));
    } else if (secret && typeof value === 'string') {
      found.push(value);
    }
  }
  return found.filter(Boolean);
}
