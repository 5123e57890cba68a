import { type Recommendation, RunSimulationRequest } from '../../contracts/budsim.ts';
import type { Resources } from '../../events/values.ts';
import type { Engines } from '../engine/engines.ts';
import { type ArtefactStore, isObjectUri, readObjectBeginning } from '../service/artefact-cache.ts';
import { findRegularFile, readBeginning } from '../service/disk-path.ts';
import type { RequestKind } from '../service/request-workflows.ts';
import { StepFailed } from '../service/step-failed.ts';
import { type ClusterFacts, rankClusters } from './placement.ts';

const resultOf = (workflow_id: string, recommendations: Recommendation[]) => ({
  object: 'cluster_recommendations',
  workflow_id,
  recommendations,
});

interface SimulationOptions {
  clusters: () => Promise<ClusterFacts[]>;
  engines: Engines;
  artefacts?: ArtefactStore | undefined;
}

/**
 * The footprint of a replica of the artefact. Throws `StepFailed` for an artefact that the local cluster cannot run.
 */
const assertRunnable = async (uri: string, { artefacts, engines }: SimulationOptions): Promise<Resources> => {
  const refusal = `the local cluster runs uploaded ${engines.titles} artefacts only`;
  const looking = isObjectUri(uri)
    ? readObjectBeginning(artefacts, uri)
    : findRegularFile(uri).then(({ path }) => readBeginning(path));
  const beginning = await looking.catch((cause: unknown) => {
    throw cause instanceof StepFailed ? new StepFailed(`${refusal}: ${cause.message}`, { cause }) : cause;
  });
  const engine = engines.findFor(beginning);
  if (engine === undefined) throw new StepFailed(refusal);
  return engine.footprint(beginning.size_bytes);
};

/** `POST simulator/run`: ranks the registered clusters that can carry a replica by the room that they report. */
export const simulate = (options: SimulationOptions): RequestKind<typeof RunSimulationRequest> => ({
  type: 'get_cluster_recommendations',
  request: RunSimulationRequest,
  planOf: (id, request) => ({
    steps: [
      { id: 'validation', title: 'Validating the request', description: 'The model can run on a local cluster' },
      { id: 'performance_estimation', title: 'Measuring the clusters', description: 'Free cores and memory are read' },
      { id: 'ranking', title: 'Ranking the clusters', description: 'The cluster with most room comes first' },
    ],
    failure_result: resultOf(id, []),
    undo: async () => {},
    async perform({ step }) {
      const need = await step('validation', async () => {
        const resources = await assertRunnable(request.model_uri ?? request.pretrained_model_uri, options);
        return { message: `a replica is reckoned with ${resources.memory_mib} MiB of memory`, value: resources };
      });
      const clusters = await step('performance_estimation', async () => {
        const all = await options.clusters().catch((cause: unknown) => {
          throw new StepFailed('the cluster service cannot be reached', { cause });
        });
        const asked = all.filter((cluster) => (request.cluster_id ?? cluster.cluster_id) === cluster.cluster_id);
        return { message: `${asked.length} clusters measured`, value: asked };
      });
      return step('ranking', async () => {
        const { recommendations, refused } = rankClusters(clusters, { need, concurrency: request.concurrency });
        if (recommendations.length === 0) {
          const why = refused.length === 0 ? 'no cluster is registered that was asked for' : refused.join('; ');
          throw new StepFailed(`no cluster can carry a replica: ${why}`);
        }
        return { message: `${recommendations.length} clusters can carry it`, value: resultOf(id, recommendations) };
      });
    },
  }),
});
