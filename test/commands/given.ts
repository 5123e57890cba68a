import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import { v7 } from 'uuid';
import type { Access, Caller } from '../../src/commands/access.ts';
import type { AnyCommand, ClusterConfiguration, Need } from '../../src/commands/command.ts';
import { DEFAULT_DEADLINES } from '../../src/commands/deadlines.ts';
import { parseInput } from '../../src/commands/engine/input.ts';
import { Rejected } from '../../src/errors.ts';
import { definitionOf, type Fact, type Recorded } from '../../src/events/catalog.ts';
import { CommandId, deriveId, newId, TenantId, UserId } from '../../src/events/ids.ts';
import { Sealed } from '../../src/events/sealed.ts';

export const NOW = '2026-11-22T12:00:00.000Z';
export const tenant = newId(TenantId);
export const commandId = newId(CommandId);
/** An id that the command makes: `made('workflow')`. */
export const made = (purpose: string): string => deriveId(commandId, purpose);
/** A time so many seconds after the command. */
export const later = (seconds: number): string => new Date(Date.parse(NOW) + seconds * 1000).toISOString();

export const aPerson = (access: Partial<Access> = {}, user_id: UserId = newId(UserId)): Caller => ({
  tenant_id: tenant,
  actor: { type: 'user', id: user_id, name: 'somebody' },
  access: { role: 'developer', scopes: new Set(), projects: new Map(), ...access },
  user_id,
});
export const itself: Caller = {
  tenant_id: tenant,
  actor: { type: 'process', id: 'test', name: 'test' },
  access: 'system',
  user_id: null,
};

/** Who asked for everything that is given. */
export const requester = newId(UserId);

/** Stands for the sealed text, so that a test can say what was sealed. */
export const sealedAs = (text: string): Sealed =>
  Sealed.parse(`sealed:1:subject:iv:tag:${Buffer.from(text).toString('base64url')}`);

/** The event of a fact, as the log would return it. */
export const recorded = (fact: Fact): Recorded => {
  const { version, data } = definitionOf(fact.type);
  const meta = {
    tenant_id: tenant,
    command_id: newId(CommandId),
    command: 'Test',
    correlation_id: v7(),
    causation_id: null,
  };
  const actor = { type: 'user', id: requester, name: 'somebody' };
  const envelope = { id: v7(), stream: 'test', revision: 0, position: '0', at: NOW, version };
  return { ...envelope, type: fact.type, data: data.parse(fact.data), meta: { ...meta, actor } } as never;
};

/** The state after these facts. */
export const foldFacts = (aggregate: AnyCommand['aggregate'], history: readonly Fact[]): unknown =>
  history.reduce<unknown>((state, fact) => aggregate.evolve(state, recorded(fact) as never), null);

/** The facts of one other thing that the command must know. */
export type Others = Readonly<Record<string, readonly Fact[]>>;

/** `given(...history).when(command, data).then(...facts)`, with the real `evolve` and `decide` and nothing else. */
export const given = (...history: readonly Fact[]) => {
  let others: Others = {};
  let caller: Caller = itself;
  let cluster_configuration: ClusterConfiguration = 'any';

  const decide = (command: AnyCommand, input: unknown): Fact[] => {
    const data = parseInput(command.data, input);
    const id = command.target(data, made);
    const state = command.creates ? null : foldFacts(command.aggregate, history);
    const wanted: Record<string, Need<unknown>> = command.needs?.(data, state, caller) ?? {};
    const needs = Object.fromEntries(
      Object.entries(wanted).map(([name, need]) => {
        const known = need ? foldFacts(need.aggregate as never, others[name] ?? []) : null;
        return [name, known === null || need?.aggregate.isGone(known) ? null : known];
      }),
    );
    const context = {
      now: NOW,
      id,
      command_id: commandId,
      tenant_id: tenant,
      caller,
      needs,
      deadlines: DEFAULT_DEADLINES,
      cluster_configuration,
    };
    const facts = [command.decide(data, state, { ...context, make: made, seal: sealedAs })].flat() as Fact[];
    for (const fact of facts) definitionOf(fact.type).data.parse(fact.data);
    return facts;
  };

  const when = (command: AnyCommand, input: unknown) => ({
    /** Exactly these facts; of each, the named fields. */
    // biome-ignore lint/suspicious/noThenProperty: the word of the domain's tests; nobody awaits a scenario.
    then(...expected: readonly { type: Fact['type']; data?: Readonly<Record<string, unknown>> }[]): void {
      const facts = decide(command, input);
      expect(facts.map(({ type }) => type)).to.deep.equal(expected.map(({ type }) => type));
      for (const [index, { data = {} }] of expected.entries()) {
        const actual: Record<string, unknown> = { ...facts[index]?.data };
        const different = Object.keys(data).filter((field) => !isDeepStrictEqual(actual[field], data[field]));
        expect(Object.fromEntries(different.map((field) => [field, actual[field]]))).to.deep.equal(
          Object.fromEntries(different.map((field) => [field, data[field]])),
        );
      }
    },
    thenNothing(): void {
      expect(decide(command, input)).to.deep.equal([]);
    },
    /** The refusal, for a closer look. */
    thenRefused(code: string): Rejected {
      try {
        decide(command, input);
      } catch (error) {
        if (!(error instanceof Rejected)) throw error;
        expect(error.code).to.equal(code);
        return error;
      }
      throw new Error(`${command.type} was not refused`);
    },
    /** The whole facts, to be used as history. */
    facts: (): Fact[] => decide(command, input),
  });

  const scenario = {
    knowing(known: Others) {
      others = known;
      return scenario;
    },
    /** Where the cluster service takes only this. */
    whereClustersNeed(what: ClusterConfiguration) {
      cluster_configuration = what;
      return scenario;
    },
    by(who: Caller) {
      caller = who;
      return scenario;
    },
    when,
  };
  return scenario;
};
