import { z } from 'zod';
import { clusterEvents } from './cluster-events.ts';
import { endpointEvents } from './endpoint-events.ts';
import type { EventDefinition, FactOf, RecordedEvent } from './event.ts';
import { FactFromNewerVersion } from './fact-from-newer-version.ts';
import { modelEvents } from './model-events.ts';
import { NAME_STREAMS, nameEvents } from './name-events.ts';
import { projectEvents } from './project-events.ts';
import { userEvents } from './user-events.ts';
import { workflowEvents } from './workflow-events.ts';

/** The areas. Each has streams of its own: `<area>-<id>`. */
export const Area = z.enum(['project', 'model', 'cluster', 'endpoint', 'workflow', 'user']);
export type Area = z.output<typeof Area>;

/** The facts of each area's streams. The compiler requires an entry for a new area. */
const areaEvents = {
  project: projectEvents,
  model: modelEvents,
  cluster: clusterEvents,
  endpoint: endpointEvents,
  workflow: workflowEvents,
  user: userEvents,
} as const satisfies Readonly<Record<Area, readonly EventDefinition<string, z.ZodType>[]>>;

/** All facts that the log can contain. */
const catalog = [...Object.values(areaEvents).flat(), ...nameEvents];

type FactIn<Name extends Area> = FactOf<(typeof areaEvents)[Name][number]>;

export type ProjectFact = FactIn<'project'>;
export type ModelFact = FactIn<'model'>;
export type ClusterFact = FactIn<'cluster'>;
export type EndpointFact = FactIn<'endpoint'>;
export type WorkflowFact = FactIn<'workflow'>;
export type UserFact = FactIn<'user'>;
export type NameFact = FactOf<(typeof nameEvents)[number]>;
export type Fact = FactIn<Area> | NameFact;

/** A fact with its envelope; narrow it by `type`. */
export type Recorded<F extends Fact = Fact> = F & Omit<RecordedEvent, 'type' | 'data'>;

export const streamOf = (area: Area, id: string): string => `${area}-${id}`;

/** How the names of all streams begin that this version writes. */
export const streamPrefixes: readonly string[] = [...Area.options.map((area) => streamOf(area, '')), NAME_STREAMS];

const ResourceId = z.uuid();

/** The area and id in a stream name; null for the stream of a name, and for one that is no resource's. */
export const parseStream = (stream: string): { area: Area; id: string } | null => {
  const dash = stream.indexOf('-');
  const area = Area.safeParse(stream.slice(0, dash));
  const id = ResourceId.safeParse(stream.slice(dash + 1));
  return area.success && id.success ? { area: area.data, id: id.data } : null;
};

const definitions: ReadonlyMap<string, EventDefinition<string, z.ZodType>> = new Map(
  catalog.map((definition) => [definition.type, definition]),
);

export const eventTypes = (): readonly string[] => [...definitions.keys()];

/** Throws `FactFromNewerVersion` for a type that this version does not know. */
export const definitionOf = (type: string): EventDefinition<string, z.ZodType> => {
  const definition = definitions.get(type);
  if (!definition) throw new FactFromNewerVersion(`event type ${type} is unknown to this version`);
  return definition;
};

/** Upcasts the data of a recorded event to the definition's newest version; see `toFact` for what it throws. */
export const upcast = (
  { type, version, data, upcast }: EventDefinition<string, z.ZodType>,
  recorded: RecordedEvent,
) => {
  if (recorded.version > version) {
    throw new FactFromNewerVersion(`${type} version ${recorded.version} is newer than this version knows`);
  }
  let stored: unknown = recorded.data;
  for (let from = recorded.version; from < version; from += 1) {
    const step = upcast[from];
    if (!step) throw new Error(`${type} has no upcaster from version ${from}`);
    stored = step(stored as never);
  }
  return data.parse(stored);
};

/**
 * Converts a recorded event to a fact of the newest version. Data was validated when it was appended, so only older
 * versions are upcast and validated again. Throws `FactFromNewerVersion` for an unknown type or a newer version, and
 * another error where the upcast data is invalid.
 */
export const toFact = (recorded: RecordedEvent): Recorded => {
  const definition = definitionOf(recorded.type);
  // The cast is safe: `append` has parsed the data with the same schema.
  if (recorded.version === definition.version) return recorded as Recorded;
  return { ...recorded, version: definition.version, data: upcast(definition, recorded) } as Recorded;
};
