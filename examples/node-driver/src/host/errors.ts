// What a driver can't do or finds wrong, and the status that the caller gets for it.

import * as grpc from '@grpc/grpc-js';

import { codeOf, encode } from './contract.js';
import type { Secrets } from './secrets.js';

const DOMAIN = 'delphis.dev';
// gRPC refuses trailers of more than 8 KiB, and the message is in them twice.
const LONGEST_MESSAGE = 600;

/** A reason of the contract, without its REASON_, and a sentence. */
export class Problem extends Error {
  constructor(
    readonly reason: string,
    message: string,
    readonly more: { retryAfter?: number; metadata?: Record<string, string> } = {},
  ) {
    super(message);
  }
}

/** The call was given up by its caller. */
export class Cancelled extends Error {}

/** What any error means to the caller. The only place where this is decided. */
export function understood(error: unknown, method: string, signal?: AbortSignal): Problem | Cancelled {
  if (error instanceof Problem || error instanceof Cancelled) return error;
  if (signal?.aborted) {
    if (signal.reason instanceof Problem || signal.reason instanceof Cancelled) return signal.reason;
    return new Cancelled('The caller gave up.');
  }
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Problem('DRIVER_FAULT', `The driver failed in ${method}: ${said}.`);
}

/** The same without secrets: to be called while they are held. */
export function scrubbed(error: Problem | Cancelled, secrets: Secrets): Problem | Cancelled {
  if (error instanceof Cancelled) return error;
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(error.more.metadata ?? {})) metadata[key] = short(secrets.scrub(value), 200);
  return new Problem(error.reason, short(secrets.scrub(error.message)), { ...error.more, metadata });
}

/** As gRPC sends it. */
export function asStatus(error: Problem | Cancelled): grpc.ServiceError {
  if (error instanceof Cancelled) return made(grpc.status.CANCELLED, error.message, new grpc.Metadata());
  const code = codeOf(error.reason);
  const metadata = new grpc.Metadata();
  const info = { reason: error.reason, domain: DOMAIN, metadata: error.more.metadata ?? {} };
  const details = [any('google.rpc.ErrorInfo', info)];
  if (error.more.retryAfter !== undefined) {
    const seconds = Math.floor(error.more.retryAfter);
    const nanos = Math.round((error.more.retryAfter - seconds) * 1e9);
    details.push(any('google.rpc.RetryInfo', { retry_delay: { seconds, nanos } }));
  }
  const status = encode('google.rpc.Status', { code, message: error.message, details });
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return made(code, error.message, metadata);
}

function any(type: string, message: object): object {
  return { type_url: `type.googleapis.com/${type}`, value: encode(type, message) };
}

function made(code: grpc.status, details: string, metadata: grpc.Metadata): grpc.ServiceError {
  return Object.assign(new Error(details), { code, details, metadata });
}

/** One line of so many bytes at most. */
export function short(text: string, longest = LONGEST_MESSAGE): string {
  const line = text.split(/\s+/).filter(Boolean).join(' ');
  if (Buffer.byteLength(line) <= longest) return line;
  return Buffer.from(line).subarray(0, longest - 3).toString().replace(/\uFFFD+$/, '') + '…';
}
