import { z } from 'zod';
import { toFact } from '../../src/events/catalog.ts';
import type { Intent, Process } from '../../src/processes/process.ts';
import type { HeardReaction } from './memory-engine.ts';

/** The start of an instance, and its end. */
const OUTSIDE = '[*]';

export interface Transition {
  from: string;
  to: string;
  event: string;
  /** The calls, commands and timers that follow. */
  intents: string;
}

const WithPhase = z.object({ phase: z.string() });

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;

/** The phase of a stored state. A process manager that follows one workflow after the other has one inside, or is idle. */
const phaseOf = (state: unknown): string => {
  if (state === null) return OUTSIDE;
  const inside = fieldOf(state, 'repair') ?? fieldOf(state, 'recovery');
  const phase = WithPhase.safeParse(state).data?.phase ?? WithPhase.safeParse(inside).data?.phase;
  return phase ?? (inside ? 'checking' : 'idle');
};

/** The fields that tell events of one type apart. */
const KINDS = ['call', 'result_type', 'timer', 'command', 'message_type'] as const;

const nameOfEvent = (heard: HeardReaction): string => {
  const { type, data } = toFact(heard.event);
  const fields: Readonly<Record<string, unknown>> = { ...data };
  const kind = KINDS.map((field) => fields[field]).find((value) => typeof value === 'string');
  return typeof kind === 'string' ? `${type} ${kind}` : type;
};

const nameOfIntent = (intent: Intent): string | null => {
  switch (intent.kind) {
    case 'command':
      return intent.command;
    case 'call':
      return intent.call;
    case 'lookup-clusters':
    case 'remove-object':
    case 'abandon-calls':
      return intent.kind;
    case 'timer':
      return `timer ${intent.timer}`;
    case 'cancel-timer':
    case 'end':
      return null;
  }
};

/** Collects what the process managers do. */
export const createTransitions = () => {
  const found = new Map<string, Map<string, Transition>>();
  return {
    hear(heard: HeardReaction): void {
      const ends = heard.intents.some(({ kind }) => kind === 'end');
      const from = phaseOf(heard.before);
      const to = ends ? OUTSIDE : phaseOf(heard.after);
      const event = nameOfEvent(heard);
      const intents = [...new Set(heard.intents.flatMap((intent) => nameOfIntent(intent) ?? []))].join(', ');
      const known = found.get(heard.process) ?? new Map<string, Transition>();
      known.set(JSON.stringify([from, to, event, intents]), { from, to, event, intents });
      found.set(heard.process, known);
    },
    of: ({ name }: Pick<Process, 'name'>): Transition[] =>
      [...(found.get(name)?.values() ?? [])].toSorted((a, b) =>
        JSON.stringify([a.from, a.to, a.event, a.intents]) < JSON.stringify([b.from, b.to, b.event, b.intents])
          ? -1
          : 1,
      ),
  };
};

const JsonSchema = z.looseObject({ const: z.unknown().optional(), enum: z.array(z.unknown()).optional() });

const textsIn = (schema: unknown): string[] => {
  const parsed = JsonSchema.safeParse(schema);
  if (!parsed.success) return [];
  const values = parsed.data.enum ?? [parsed.data.const];
  return values.filter((value) => typeof value === 'string');
};

/** Every phase that the schema of the state allows, at its top or one level below. */
export const phasesOf = ({ state, keyed_by, follows }: Process): string[] => {
  const phases = new Set<string>();
  const visit = (schema: unknown, depth: number): void => {
    const properties = fieldOf(schema, 'properties');
    for (const phase of textsIn(fieldOf(properties, 'phase'))) phases.add(phase);
    if (depth > 0 && typeof properties === 'object' && properties !== null) {
      for (const name of ['repair', 'recovery']) visit(fieldOf(properties, name), depth - 1);
    }
    for (const key of ['anyOf', 'oneOf', 'allOf']) {
      const parts = fieldOf(schema, key);
      if (Array.isArray(parts)) for (const part of parts) visit(part, depth);
    }
  };
  visit(z.toJSONSchema(state, { io: 'input', unrepresentable: 'any' }), 1);
  const others = keyed_by && follows ? ['idle', ...(phases.size === 0 ? ['checking'] : [])] : [];
  return [...others, ...phases];
};

/** Mermaid takes no hyphen in the name of a state. */
const idOf = (phase: string): string => (phase === OUTSIDE ? phase : phase.replaceAll('-', '_'));

/** The state diagram, and below it what each event leads to. */
export const renderProcess = (manager: Process, transitions: readonly Transition[]): string => {
  const arrows = new Map<string, Set<string>>();
  for (const { from, to, event } of transitions) {
    if (from === to) continue;
    const arrow = `${idOf(from)} --> ${idOf(to)}`;
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(event));
  }
  const names = phasesOf(manager).map((phase) => `  state "${phase}" as ${idOf(phase)}`);
  const lines = [...arrows].map(([arrow, events]) => `  ${arrow}: ${[...events].join('<br>')}`);
  const rows = transitions.map(
    ({ from, to, event, intents }) => `| ${from} | ${event} | ${to} | ${intents || 'nothing'} |`,
  );
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...names,
    ...lines,
    '```',
    '',
    '<details><summary>Every transition, with what it asks for</summary>',
    '',
    '| in | on | to | asks for |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    '</details>',
    '',
  ].join('\n');
};
