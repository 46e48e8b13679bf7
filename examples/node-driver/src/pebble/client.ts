// The array's HTTP API: it logs in, and again when the array has forgotten the session.

import http from 'node:http';
import https from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';

import type { Duration__Output } from '../contract/google/protobuf/Duration.js';
import type { RestAccess__Output } from '../contract/delphis/type/v1/RestAccess.js';
import type { Tls__Output } from '../contract/delphis/type/v1/Tls.js';
import { Problem } from '../host/errors.js';

const CONNECT_TIMEOUT = 10_000;
const READ_TIMEOUT = 60_000;
const PAGE_SIZE = 250;
const MOST_ANSWER = 16 << 20;

interface Answer { status: number; headers: http.IncomingHttpHeaders; raw: Buffer }

/** Not the pinned certificate, or none that can be verified. */
class CertificateRefused extends Error {}

export class Client {
  readonly #agent: http.Agent | https.Agent;
  readonly #secure: boolean;
  #token = '';
  #login?: Promise<string>;
  #nextTurn = 0;

  constructor(private readonly rest: RestAccess__Output) {
    this.#secure = rest.tls?.plaintext !== true;
    const options = { keepAlive: true, maxSockets: 4, timeout: milliseconds(rest.read_timeout) ?? READ_TIMEOUT };
    this.#agent = this.#secure ? new https.Agent({ ...options, ...tlsOptions(rest) }) : new http.Agent(options);
  }

  /** Logs in where nobody is. */
  async logIn(signal: AbortSignal): Promise<void> {
    await this.#session('', signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    try {
      if (this.#token) await this.#send('DELETE', '/api/session', this.#token, undefined, signal);
    } finally {
      this.#agent.destroy();
    }
  }

  /** Asks the array, as someone who is logged in. */
  async ask<T>(method: string, path: string, signal: AbortSignal, body?: object): Promise<T> {
    let token = await this.#session('', signal);
    let answer = await this.#send(method, path, token, body, signal);
    if (answer.status === 401) {
      token = await this.#session(token, signal);
      answer = await this.#send(method, path, token, body, signal);
    }
    if (answer.status === 401) throw new Problem('BAD_RESPONSE', 'The array forgets a session at once.');
    return understoodAnswer<T>(answer, `${method} ${path.split('?')[0]}`);
  }

  /** The items of a list, page by page. */
  async* each<T>(kind: string, signal: AbortSignal): AsyncGenerator<T> {
    for (let start = 0; ;) {
      const page = await this.ask<{ items?: T[]; next?: number | null }>(
        'GET', `/api/${kind}?start=${start}&count=${PAGE_SIZE}`, signal);
      if (!Array.isArray(page.items)) throw new Problem('BAD_RESPONSE', `The array's page of ${kind} has no items.`);
      yield* page.items;
      if (page.next === undefined || page.next === null) return;
      if (page.next <= start) throw new Problem('BAD_RESPONSE', `The array's pages of ${kind} go in a circle.`);
      start = page.next;
    }
  }

  /** The token of a login; one that the array refused is replaced, once for all who come with it. */
  #session(refused: string, signal: AbortSignal): Promise<string> {
    if (this.#token && this.#token !== refused) return Promise.resolve(this.#token);
    this.#login ??= this.#newToken(signal).finally(() => { this.#login = undefined; });
    return this.#login;
  }

  async #newToken(signal: AbortSignal): Promise<string> {
    const body = { user: this.rest.username, password: this.rest.password };
    const answer = await this.#send('POST', '/api/session', '', body, signal);
    if (answer.status === 401) {
      throw new Problem('INVALID_USERNAME_OR_PASSWORD', 'The array refuses the user or the password.');
    }
    const { token } = understoodAnswer<{ token?: string }>(answer, 'POST /api/session');
    if (!token) throw new Problem('BAD_RESPONSE', "The array's answer to the login has no token.");
    return this.#token = token;
  }

  /** Keeps to `max_requests_per_second`. */
  async #turn(): Promise<void> {
    const most = this.rest.max_requests_per_second ?? 0;
    if (!(most > 0)) return;
    const now = Date.now(), turn = Math.max(now, this.#nextTurn);
    this.#nextTurn = turn + 1000 / most;
    if (turn > now) await new Promise((resolve) => setTimeout(resolve, turn - now));
  }

  async #send(method: string, path: string, token: string, body: object | undefined, signal: AbortSignal): Promise<Answer> {
    await this.#turn();
    signal.throwIfAborted();
    const sent = body && JSON.stringify(body);
    const headers: http.OutgoingHttpHeaders = token ? { authorization: `Bearer ${token}` } : {};
    if (sent) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) });
    return new Promise<Answer>((resolve, reject) => {
      const options = { host: (this.rest.host ?? '').replace(/^\[|\]$/g, ''), port: this.rest.port, path, method, headers, signal };
      const request = this.#secure ? https.request({ ...options, agent: this.#agent }) : http.request({ ...options, agent: this.#agent });
      const failed = (error: Error): void => { clearTimeout(timer); reject(unreachable(error, signal)); };
      const timer = setTimeout(() => {
        if (request.reusedSocket || request.socket?.connecting === false) return;
        request.destroy(new Problem('CONNECT_TIMEOUT', 'No connection to the array could be made in time.'));
      }, milliseconds(this.rest.connect_timeout) ?? CONNECT_TIMEOUT);
      request.on('timeout', () => request.destroy(new Problem('ARRAY_UNREACHABLE', 'The array does not answer in time.')));
      request.on('error', failed);
      request.on('socket', (socket) => { this.#checkPin(socket as TLSSocket, failed, request); });
      request.on('response', (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          parts.push(part);
          if ((size += part.length) > MOST_ANSWER) request.destroy(new Problem('BAD_RESPONSE', "The array's answer is too long."));
        });
        response.on('error', failed);
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, raw: Buffer.concat(parts) });
        });
      });
      if (!this.#mustCheckPin) request.end(sent);
      else request.on('socket', (socket) => this.#whenChecked(socket as TLSSocket, () => request.end(sent)));
    });
  }

  get #mustCheckPin(): boolean { return this.#secure && this.rest.tls?.mode === 'TLS_MODE_PINNED'; }

  /** Nothing is sent to a peer before its certificate is known to be the pinned one. */
  #whenChecked(socket: TLSSocket, then: () => void): void {
    if (socket.getPeerCertificate()?.fingerprint256) then();
    else socket.once('secureConnect', then);
  }

  #checkPin(socket: TLSSocket, failed: (error: Error) => void, request: http.ClientRequest): void {
    if (!this.#mustCheckPin) return;
    this.#whenChecked(socket, () => {
      if (digits(socket.getPeerCertificate() as PeerCertificate) !== pinOf(this.rest.tls)) {
        const refused = new CertificateRefused('it is not the pinned one');
        failed(refused);
        request.destroy(refused);
      }
    });
  }
}

function digits(certificate: PeerCertificate): string { return (certificate.fingerprint256 ?? '').replaceAll(':', '').toLowerCase(); }

function pinOf(tls: Tls__Output | null | undefined): string {
  return (tls?.pinned_certificate_sha256 ?? '').replaceAll(':', '').toLowerCase();
}

function tlsOptions(rest: RestAccess__Output): https.AgentOptions {
  const tls = rest.tls;
  if (tls?.mode === 'TLS_MODE_OFF') return { rejectUnauthorized: false };
  if (tls?.mode === 'TLS_MODE_PINNED') {
    if (!/^[0-9a-f]{64}$/.test(pinOf(tls))) {
      throw new Problem('ACCESS_INFO_INCOMPLETE', 'rest.tls.pinned_certificate_sha256 must be 64 hexadecimal digits.');
    }
    // Chain and name are not looked at; the certificate itself is, and a resumed session has none.
    return { rejectUnauthorized: false, maxCachedSessions: 0 };
  }
  return { ca: tls?.ca_certificates || undefined, servername: tls?.server_name || undefined };
}

function milliseconds(duration: Duration__Output | null | undefined): number | undefined {
  return duration ? Number(duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6 : undefined;
}

/** The JSON of an answer, or what its status means. */
function understoodAnswer<T>({ status, headers, raw }: Answer, what: string): T {
  let found: unknown;
  try {
    found = raw.length ? JSON.parse(raw.toString()) : {};
  } catch { /* said below, where it matters */ }
  if (status >= 200 && status < 300) {
    if (found === undefined || found === null || typeof found !== 'object') {
      throw new Problem('BAD_RESPONSE', `The array's answer to ${what} is not the JSON that is expected.`);
    }
    return found as T;
  }
  const said = String((found as { error?: string } | undefined)?.error ?? 'nothing');
  if (status === 429 || status === 503) {
    throw new Problem('ARRAY_BUSY', `The array is busy; to ${what} it says ${said}.`,
      { retryAfter: Number(headers['retry-after']) || 1 });
  }
  const reason = { 403: 'ARRAY_PERMISSION_DENIED', 404: 'ARRAY_OBJECT_NOT_FOUND' }[status]
    ?? (status >= 400 ? 'STORAGE_BACKEND_EXCEPTION' : 'BAD_RESPONSE');
  throw new Problem(reason, `The array answers ${status} to ${what}; it says ${said}.`);
}

const CERTIFICATE = /CERT|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ALTNAME/;

/** Why there was no answer. */
function unreachable(error: Error & { code?: string }, signal: AbortSignal): unknown {
  if (error instanceof Problem) return error;
  if (signal.aborted) return signal.reason; // the call's own deadline, or its caller gave up
  const code = error.code ?? '';
  if (error instanceof CertificateRefused || CERTIFICATE.test(code)) {
    return new Problem('SSL_CERTIFICATE_FAILED', `The array's certificate can't be verified: ${error.message}.`);
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return new Problem('SSL_HANDSHAKE_FAILED', `No TLS session could be agreed on with the array: ${code}.`);
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new Problem('INVALID_IP_OR_PORT', "The array's host name can't be resolved.");
  }
  if (code.startsWith('HPE_')) {
    return new Problem('INVALID_IP_OR_PORT', `What listens at the array's address doesn't speak HTTP: ${code}.`);
  }
  return new Problem('ARRAY_UNREACHABLE', `The array doesn't answer: ${code || error.message}.`);
}
