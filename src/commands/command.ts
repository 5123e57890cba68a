import type { z } from 'zod';
import type { Area, Fact, Recorded } from '../events/catalog.ts';
import type { CommandId, ProjectId, TenantId } from '../events/ids.ts';
import type { NameKind } from '../events/name-events.ts';
import type { Sealed } from '../events/sealed.ts';
import type { Scope } from '../events/values.ts';
import type { Caller, Permission } from './access.ts';
import type { Deadlines } from './deadlines.ts';

/** How the events of one kind of stream make a state. */
export interface Aggregate<State, F extends Fact = Fact> {
  area: Area;
  /** Pure. `null` before the first event; facts of other areas do not occur in the stream. */
  evolve(state: State | null, event: Recorded<F>): State | null;
  /** Deleted things answer like unknown ones. */
  isGone(state: State): boolean;
  /** The unique name it holds now; null where it holds none (any more). */
  nameOf(state: State): NameClaim | null;
}

export interface NameClaim {
  kind: NameKind;
  name: string;
}

/** Another aggregate that a command must know, or null where this request concerns none. */
export type Need<State> = { aggregate: Aggregate<State, never>; id: string } | null;
export const need = <State, F extends Fact>(
  aggregate: Aggregate<State, F>,
  id: string | null | undefined,
): Need<State> => (id ? { aggregate, id } : null);

type StateOf<N> = N extends { aggregate: Aggregate<infer State, never> } ? State : never;
/** What `decide` is given for each need; null where there is no such thing in the caller's tenant, or no more. */
export type Known<Needs> = { readonly [Name in keyof Needs]: StateOf<NonNullable<Needs[Name]>> | null };

/** All that a decision may depend on besides data and state. */
export interface DecisionContext<Needs> {
  /** The time of the request, RFC 3339. */
  now: string;
  /** The aggregate that the command is about. */
  id: string;
  command_id: CommandId;
  tenant_id: TenantId;
  caller: Caller;
  needs: Known<Needs>;
  /** How long the states that follow may last, in seconds. */
  deadlines: Deadlines;
  /** A further id of this command, the same at every retry: `make('workflow')`. */
  make(purpose: string): string;
  /** Seals text under the subject that `seals` named. */
  seal(text: string): Sealed;
}

/** The scope follows from the thing as it is: a workflow's, for example, from what it works on. */
export interface PermissionByState<State> {
  /** All scopes that it may come to, for the documents. */
  any_of: readonly Scope[];
  /** Pure. One of `any_of`. */
  of(state: State): Scope;
}

/**
 * A command: everything the outside must know of it, and the decision. Routing, validation, authorisation, OpenAPI,
 * idempotency and audit derive from this one object.
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
  /** True: the stream must not exist yet, and `state` is null. Otherwise it must exist. */
  creates: boolean;
  /** The id of the aggregate. A creating command makes it: `(_data, make) => make('project')`. */
  target(data: z.output<Schema>, make: (purpose: string) => string): string;
  /** The project that decides who may, where it is not the aggregate's own (when creating). */
  project?(data: z.output<Schema>): ProjectId | null;
  /** What else must be known; `state` is that of the command's own aggregate. */
  needs?(data: z.output<Schema>, state: State): Needs;
  /** A name that must be free, and is the aggregate's from then on. */
  reserves?(data: z.output<Schema>, state: State): NameClaim | null;
  /** True: refused with `<area>-in-use`, naming them, while live endpoints use the thing. */
  refusedWhileInUse?: boolean;
  /** The subject under whose key `seal` seals. */
  seals?(data: z.output<Schema>, id: string): string;
  /**
   * Pure: the facts that follow, none where nothing changes, or a `Rejected`. A name that the state held before and
   * does not hold afterwards (`nameOf`) is released.
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
 * What is not there yet has no state that a permission could depend on, and no project but the one that the command
 * says: without it, a role would open every project.
 */
type CreationPermission<Data> =
  | { permission: 'system' }
  | { permission: Scope; project: (data: Data) => ProjectId | null };

/** Makes the two factories of an area: commands on what exists, and commands that create. */
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

/** Any command, for code that handles them all alike. */
// biome-ignore lint/suspicious/noExplicitAny: data, state and needs are existential here; each command keeps its own types.
export type AnyCommand = Command<string, z.ZodType, any, any, any>;
