import { type ClusterState, cluster } from '../../src/commands/cluster/cluster-state.ts';
import type { NameClaim } from '../../src/commands/command.ts';
import { endpoint } from '../../src/commands/endpoint/endpoint-state.ts';
import { type ModelState, model } from '../../src/commands/model/model-state.ts';
import { project } from '../../src/commands/project/project-state.ts';
import { parseStream, toFact } from '../../src/events/catalog.ts';
import type { RecordedEvent } from '../../src/events/event.ts';

/** A resource as its own commands see it. */
interface Folded<State> {
  id: string;
  state: State;
}

interface Fold {
  take(id: string, event: RecordedEvent): void;
  claims(): { id: string; claim: NameClaim }[];
}

interface FoldedArea<State> extends Fold {
  all(): Folded<State>[];
}

const foldArea = <State>(aggregate: {
  evolve(state: State | null, event: never): State | null;
  nameOf(state: State): NameClaim | null;
}): FoldedArea<State> => {
  const states = new Map<string, State>();
  const all = () => [...states].map(([id, state]) => ({ id, state }));
  return {
    take(id, event) {
      // An abandoned creation makes no state.
      if (event.type === 'CreationAbandoned') return;
      const state = aggregate.evolve(states.get(id) ?? null, toFact(event) as never);
      if (state !== null) states.set(id, state);
    },
    claims: () =>
      all().flatMap(({ id, state }) => {
        const claim = aggregate.nameOf(state);
        return claim ? [{ id, claim }] : [];
      }),
    all,
  };
};

/** The states of all resources that have names, folded as the events come. */
export const createAggregates = () => {
  const clusters = foldArea<ClusterState>(cluster);
  const models = foldArea<ModelState>(model);
  const areas: Readonly<Record<string, Fold>> = {
    project: foldArea(project),
    model: models,
    cluster: clusters,
    endpoint: foldArea(endpoint),
  };
  return {
    take(event: RecordedEvent): void {
      const parsed = parseStream(event.stream);
      if (parsed) areas[parsed.area]?.take(parsed.id, event);
    },
    clusters: clusters.all,
    models: models.all,
    claims: () => Object.values(areas).flatMap((area) => area.claims()),
  };
};
