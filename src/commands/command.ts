import type { z } from 'zod';
import type { Area, Fact, Recorded } from '../events/catalog.ts';
import type { CommandId, ProjectId, TenantId } from '../events/ids.ts';
import type { NameKind } from '../events/name-events.ts';
import type { Sealed } from '../events/sealed.ts';
import type { Scope } from '../events/values.ts';
import type { Caller, Permission } from './access.ts';
import type { Deadlines } from './deadlines.ts';

/** How the events of one area's streams fold into a state. */
export interface Aggregate<State, F extends Fact = Fact> {
  area: Area;
  /** Pure. The state is `null` before the first event; facts of other areas do not occur in the stream. */
  evolve(state: State | null, event: Recorded<F>): State | null;
  /** True for a deleted aggregate, which commands treat as unknown. */
  isGone(state: State): boolean;
  /** The unique name that the aggregate holds now; null where it holds none. */
  nameOf(state: State): NameClaim | null;
}

export interface NameClaim {
  kind: NameKind;
  name: string;
}

/** What endpoints use. A further area must be found by its endpoints first: it would be deleted under them. */
export type UsedArea = Extract<Area, 'project' | 'model' | 'cluster'>;

/** Another aggregate whose state a command needs; null where this request needs none. */
export type Need<State> = { aggregate: Aggregate<State, never>; id: string } | null;
export const need = <State, F extends Fact>(
  aggregate: Aggregate<State, F>,
  id: string | null | undefined,
): Need<State> => (id ? { aggregate, id } : null);

type StateOf<N> = N extends { aggregate: Aggregate<infer State, never> } ? State : never;
/** The state of each need, as `decide` gets it; null where it does not exist in the caller's tenant, or is deleted. */
export type NeededStates<Needs> = { readonly [Name in keyof Needs]: StateOf<NonNullable<Needs[Name]>> | null };

export type ClusterConfiguration = 'kubeconfig' | 'any';

/** What a decision may depend on besides data and state. */
export interface DecisionContext<Needs> {
  /** The time of the request, RFC 3339. */
  now: string;
  /** The aggregate that the command is about. */
  id: string;
  command_id: CommandId;
  tenant_id: TenantId;
  caller: Caller;
  needs: NeededStates<Needs>;
  /** The maximum duration of the states that follow, in seconds. */
  deadlines: Deadlines;
  /** What a cluster is registered with; `any`: the cluster service takes any text. */
  cluster_configuration: ClusterConfiguration;
  /** Derives a further id from the command id, the same at every retry: `make('workflow')`. */
  make(purpose: string): string;
  /** Seals a text under the key of the subject that `seals` names. */
  seal(text: string): Sealed;
}

/** The required scope depends on the state: for a workflow, on the area of its target. */
export interface PermissionByState<State> {
  /** All scopes that `of` may return, for the documentation. */
  any_of: readonly Scope[];
  /** Pure. One of `any_of`. */
  of(state: State): Scope;
}

/**
 * A command: its description and its decision. Routing, validation, authorisation, OpenAPI, idempotency and audit
 * derive from this object.
 */
export interface Command<
  Type extends string = string,
  Schema extends z.ZodType = z.ZodType,
  State = unknown,
  F extends Fact = Fact,
  Needs extends Record<string, unknown> = Record<string, unknown>,
> {
  type: Type;
  aggregate: Aggregate<State, F>;
  summary: string;
  permission: Permission | PermissionByState<State>;
  data: Schema;
  /** Of the request's JSON body; default: 1 MiB. */
  max_body_bytes?: number;
  /** True: the stream must not exist yet, and `state` is null. Otherwise it must exist. */
  creates: boolean;
  /** The id of the aggregate. A creating command makes it: `(_data, make) => make('project')`. */
  target(data: z.output<Schema>, make: (purpose: string) => string): string;
  /** The project whose permissions apply when the aggregate is created; afterwards the aggregate's own. */
  project?(data: z.output<Schema>): ProjectId | null;
  /** Other aggregates that the decision needs; `state` is that of the command's own aggregate. */
  needs?(data: z.output<Schema>, state: State, caller: Caller): Needs;
  /**
   * For a rule over several streams: of the commands of a tenant that name the same word, one at a time loads what it
   * needs, decides and is recorded, over all processes. Null where this one needs no such turn.
   */
  alone?(data: z.output<Schema>, state: State): string | null;
  /** A unique name that the command reserves for the aggregate. */
  reserves?(data: z.output<Schema>, state: State): NameClaim | null;
  /** What live endpoints use the aggregate as. While any does, the command is refused: `<area>-in-use`, with their names. */
  refusedWhileInUse?: UsedArea;
  /** The subject whose key `seal` uses. */
  seals?(data: z.output<Schema>, id: string): string;
  /**
   * Pure. Returns the facts that follow, none where nothing changes, or throws `Rejected`. A name that the state holds
   * before but not afterwards (`nameOf`) is released.
   */
  decide(data: z.output<Schema>, state: State, context: DecisionContext<Needs>): F | readonly F[];
}

type CommandInput<
  Type extends string,
  Schema extends z.ZodType,
  State,
  F extends Fact,
  Needs extends Record<string, unknown>,
> = Omit<Command<Type, Schema, State, F, Needs>, 'aggregate' | 'creates'>;

/**
 * A creating command has no state that its permission could depend on. It states its project, since a role alone must
 * not give access to every project.
 */
type CreationPermission<Data> =
  | { permission: 'system' }
  | { permission: Scope; project: (data: Data) => ProjectId | null };

/** Makes the two factories of an area: for commands on an existing aggregate, and for commands that create one. */
export const commandsOn = <State, F extends Fact>(aggregate: Aggregate<State, F>) => ({
  change: <
    Type extends string,
    Schema extends z.ZodType,
    Needs extends Record<string, unknown> = Record<string, never>,
  >(
    command: CommandInput<Type, Schema, State, F, Needs>,
  ): Command<Type, Schema, State, F, Needs> => ({ ...command, aggregate, creates: false }),
  create: <
    Type extends string,
    Schema extends z.ZodType,
    Needs extends Record<string, unknown> = Record<string, never>,
  >(
    command: CommandInput<Type, Schema, null, F, Needs> & CreationPermission<z.output<Schema>>,
  ): Command<Type, Schema, null, F, Needs> & { permission: Permission } => ({
    ...command,
    aggregate: aggregate as unknown as Aggregate<null, F>,
    creates: true,
  }),
});

/** The type of any command, for code that handles all of them alike. */
// biome-ignore lint/suspicious/noExplicitAny: data, state and needs are existential here; each command keeps its own types.
export type AnyCommand = Command<string, z.ZodType, any, any, any>;
