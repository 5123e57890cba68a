import type { Readable } from 'node:stream';
import type { CallRequest } from './contracts/call.ts';
import type { ExpectedRevision } from './errors.ts';
import type { NewEvent, Position, RecordedEvent } from './events/event.ts';
import type { TenantId } from './events/ids.ts';
import type { Sealed } from './events/sealed.ts';

/** Tells the time as RFC 3339 text in UTC with milliseconds. */
export type Clock = () => string;

/** Everything that was opened can be closed; a second close does nothing. */
export interface Closable {
  close(): Promise<void>;
}

export interface Appended {
  /** Revision of the last event of the append. */
  revision: number;
  /** Position of the last event of the append. */
  position: Position;
  /** The time of the append, as its events bear it. */
  at: string;
}

/** In band: the reader has handled all there was; `position` may be persisted even if no event of it passed the filter. */
export interface CaughtUp {
  caughtUp: true;
  position: Position | null;
}

export interface LogFilter {
  /** Only these event types. */
  types?: readonly string[];
  /** Only streams whose name starts with one of these, for example `endpoint-`. */
  streamPrefixes?: readonly string[];
}

export interface SubscribeOptions {
  after: Position | 'start';
  filter?: LogFilter;
  /** true: goes on after `CaughtUp` until aborted. false: ends after `CaughtUp`. */
  live: boolean;
  signal?: AbortSignal;
}

export interface ReadStreamOptions {
  from?: number;
  to?: number;
  backwards?: boolean;
  limit?: number;
}

/** The append-only log. `test/contract/log.ts` says what every adapter must do. */
export interface Log extends Closable {
  /**
   * All events or none. Appending events whose ids already stand in the stream answers as the first time did and adds
   * nothing; where only some of them do it is refused. A repeat names the expected revision of the first time, or 'any' or
   * 'exists'. Whether ids that stand in another stream are refused is up to the adapter: EventStoreDB knows no ids but a
   * stream's own. Throws `WrongExpectedRevision` (with the actual one) and, where the log cannot be reached in time,
   * `Rejected` of kind `unavailable`.
   */
  append(stream: string, events: readonly NewEvent[], options: { expected: ExpectedRevision }): Promise<Appended>;
  /** In order, or backwards; a stream that does not exist is empty. */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>;
  /** Never ends in silence: ends when not live and caught up, when `signal` aborts, or by throwing. */
  subscribe(options: SubscribeOptions): AsyncIterable<RecordedEvent | CaughtUp>;
  /** Position of the newest event; null while the log is empty. */
  head(): Promise<Position | null>;
}

/** A log that can take over the history of another one; `test/contract/log-import.ts` says what that means. */
export interface LogImport {
  /**
   * Appends events of another log in this order, each with the id, stream, revision and time that it has there; only the
   * positions are new. Resolves when all of them are kept; where it throws, an unbroken beginning of them may be. Nothing
   * is ever added twice. Throws `WrongExpectedRevision` where a stream does not go on at the revision of its next event.
   */
  importEvents(events: readonly RecordedEvent[]): Promise<void>;
}

/** Seals and opens personal data and secrets, each with the key of one subject. */
export interface Vault {
  /** Loads or makes the subject's key; sealing itself then needs no await, so that `decide` can do it. */
  sealer(subject: string): Promise<(text: string) => Sealed>;
  /** The clear text; null once the subject's key is erased. Throws where the text was tampered with. */
  open(sealed: Sealed): Promise<string | null>;
  /** Deletes the key: whatever was sealed with it can never be read again. */
  erase(subject: string): Promise<void>;
}

export interface StoredObject {
  key: string;
  size_bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Keeps artefacts: model files and datasets. Keys look like paths. */
export interface ObjectStore {
  /**
   * Writes the whole stream or nothing. Throws `Rejected`: `too-large` (over `maxBytes`), `invalid` with code
   * `checksum-mismatch` (against `sha256`), `unavailable` with code `storage-full` or `storage-unavailable`.
   */
  put(key: string, body: Readable, options: { maxBytes: number; sha256?: string }): Promise<StoredObject>;
  /** Throws `Rejected` `not-found` where there is no such object. */
  get(key: string): Promise<Readable>;
  find(key: string): Promise<StoredObject | null>;
  /** Deleting what is not there is fine. */
  remove(key: string): Promise<void>;
  /** What the model service is given as `model_uri`, for example a file path or an s3 URL. */
  uri(key: string): string;
}

export interface StatusMessage {
  /** `bud.status.<project or "-">.<kind>.<id>` */
  subject: string;
  /** CloudEvents 1.0 JSON, text. */
  payload: string;
}

export interface StatusSubscriptionOptions {
  /**
   * The connection was lost and is back, with the subscription in force: messages may have been missed, and perhaps none
   * will follow that would tell. Whoever must not miss any reads the log now.
   */
  onGap?: () => void;
}

/** Carries status messages between processes; at most once: whoever listens closes gaps from the log. */
export interface StatusBus extends Closable {
  /** Throws `Rejected` `unavailable` where the bus does not take the message, at once or after a short while. */
  publish(message: StatusMessage): Promise<void>;
  /** `pattern` as in NATS (`bud.status.>`); answers a function that ends the subscription. */
  subscribe(
    pattern: string,
    handler: (message: StatusMessage) => void,
    options?: StatusSubscriptionOptions,
  ): Promise<() => void>;
}

/** What an access token says, after its signature, issuer, audience and expiry were checked. */
export interface Claims {
  subject: string;
  tenant_id: TenantId;
  email: string;
  name: string;
  /** Null where the token was made for another client and says nothing about roles or groups. */
  role: 'admin' | 'developer' | 'viewer' | null;
  /** Seconds since 1970, by the provider's clock. */
  issued_at: number;
  expires_at: number;
  token_id: string;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  token_type: 'Bearer';
  /** Seconds until the access token expires. */
  expires_in: number;
}

/** What a browser's sign-in began with, to be kept until it comes back. */
export interface PendingSignIn {
  state: string;
  code_verifier: string;
  redirect_uri: string;
  realm: string;
}

/** The identity provider, spoken to over OpenID Connect. It may have several realms, each with users of its own. */
export interface Identity extends Closable {
  /**
   * `realm`: default the first. Throws `Rejected` `unauthenticated` with code `invalid-credentials`, `invalid` with code
   * `unknown-realm`.
   */
  login(credentials: { email: string; password: string; realm?: string | undefined }): Promise<Tokens>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-refresh-token`. */
  refresh(refreshToken: string): Promise<Tokens>;
  /** Ends the session: the refresh token is revoked, the access token is refused from now on. */
  logout(tokens: { access_token: string; refresh_token?: string | undefined }): Promise<void>;
  /**
   * The provider says that a session ended (OpenID Connect Back-Channel Logout 1.0): its access tokens are refused from
   * now on, or all of its user's where the logout token names no session. Throws `Rejected` `malformed` with code
   * `invalid-logout-token`.
   */
  endSession(logoutToken: string): Promise<void>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-token`, `expired-token` or `revoked-token`. */
  verify(accessToken: string): Promise<Claims>;
  /**
   * Authorization code with PKCE: where to send the browser, and what to keep until it comes back. `realm`: default the
   * first. Throws `Rejected` `invalid` with code `unknown-realm` or `unknown-redirect-uri`.
   */
  authorizationUrl(options: {
    redirect_uri: string;
    realm?: string | undefined;
  }): Promise<PendingSignIn & { url: string }>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-authorization-code`. */
  exchangeCode(pending: PendingSignIn & { callback_url: string }): Promise<Tokens>;
}

/** Small, short-lived facts that the services of the platform share; whoever keeps them may lose them at any time. */
export interface SharedState {
  /** Replaces what was there. Throws `Rejected` `unavailable` where the store cannot be reached. */
  put(key: string, value: string, options: { ttl_seconds: number }): Promise<void>;
  /** null: never put, expired or lost. Throws `Rejected` `unavailable` where the store cannot be reached. */
  get(key: string): Promise<string | null>;
}

/** One call of another service, as `src/contracts` describes it, within a trace. */
export interface ServiceRequest extends CallRequest {
  traceparent?: string | undefined;
}

/** Calls the cluster, model, simulator, metrics and notify services: over Dapr, or straight over HTTP. */
export interface ServiceInvoker {
  /**
   * The parsed JSON answer. Throws `ServiceFailure`: `retryable` where trying again can help (no connection, time-out,
   * 429, 5xx), not retryable where the service understood and refused (other 4xx).
   */
  invoke(request: ServiceRequest): Promise<unknown>;
}

export class ServiceFailure extends Error {
  readonly retryable: boolean;
  readonly status: number | null;

  constructor(message: string, options: { retryable: boolean; status: number | null; cause?: unknown }) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'ServiceFailure';
    this.retryable = options.retryable;
    this.status = options.status;
  }
}

export interface ParkedInstanceKey {
  process: string;
  instance_id: string;
}

/** A process that could not digest an event: its instance, and all events that came for it since, wait. */
export interface ParkedInstance extends ParkedInstanceKey {
  tenant_id: string;
  /** Of the event that is in the way. */
  position: string;
  event_type: string;
  error: string;
  attempts: number;
  parked_at: string;
  /** How many events wait. */
  waiting: number;
}

/** What operators can do about processes that are stuck. */
export interface ProcessOperations {
  listParked(): Promise<readonly ParkedInstance[]>;
  /** Tries again; `resumed` false: it, or one behind it, failed again. Throws `Rejected` `not-found`. */
  retryParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  /** Leaves the event that is in the way out for good and goes on with those behind it. Throws `Rejected` `not-found`. */
  skipParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
}

/** One dependency as `/health/ready` shows it. */
export interface Dependency {
  name: string;
  /** What serves it now, for example `postgres (embedded)` or `nats://...`; never a password. */
  implementation: string;
  /** True where it stands in for the real system. */
  stand_in: boolean;
  /** Without it nothing can be served; without any other one, some things cannot. */
  needed: boolean;
  /** Throws where it cannot be used now. */
  check(): Promise<void>;
}
