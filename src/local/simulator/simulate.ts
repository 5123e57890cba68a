import { open } from 'node:fs/promises';
import { type Recommendation, RunSimulationRequest } from '../../contracts/budsim.ts';
import { replicaFootprint } from '../../events/resources.ts';
import { type ArtefactStore, isObjectUri, readObjectBeginning } from '../service/artefact-cache.ts';
import { findRegularFile } from '../service/disk-path.ts';
import { StepFailed, type WorkflowKind } from '../service/workflows.ts';
import { type ClusterFacts, rankClusters } from './placement.ts';

/** Field 1 of the ONNX format, the IR version, which every writer puts first. */
const FIRST_BYTE = 0x08;

const resultOf = (workflow_id: string, recommendations: Recommendation[]) => ({
  object: 'cluster_recommendations',
  workflow_id,
  recommendations,
});

/** What is to be known of an artefact: no more of it is read than its beginning. */
interface Beginning {
  size_bytes: number;
  first_byte: number | undefined;
}

const readBeginning = async (uri: string): Promise<Beginning> => {
  const { path, size_bytes } = await findRegularFile(uri);
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return { size_bytes, first_byte: bytesRead === 1 ? buffer[0] : undefined };
  } finally {
    await file.close();
  }
};

/** Size of the artefact in bytes. Throws `StepFailed` for whatever the local cluster cannot run. */
const assertRunnable = async (uri: string, artefacts: ArtefactStore | undefined): Promise<number> => {
  const refusal = 'the local cluster runs uploaded ONNX artefacts only';
  const looking = isObjectUri(uri) ? readObjectBeginning(artefacts, uri) : readBeginning(uri);
  const { size_bytes, first_byte } = await looking.catch((cause: unknown) => {
    throw cause instanceof StepFailed ? new StepFailed(`${refusal}: ${cause.message}`, { cause }) : cause;
  });
  if (first_byte !== FIRST_BYTE) throw new StepFailed(refusal);
  return size_bytes;
};

/** `POST simulator/run`: ranks the registered clusters by the room that they really have now. */
export const simulate = (options: {
  clusters: () => Promise<ClusterFacts[]>;
  artefacts?: ArtefactStore | undefined;
}): WorkflowKind<typeof RunSimulationRequest> => ({
  type: 'get_cluster_recommendations',
  workflow_name: 'get_cluster_recommendations',
  eta_minutes: 1,
  steps: [
    { id: 'validation', title: 'Validating the request', description: 'The model can run on a local cluster' },
    { id: 'performance_estimation', title: 'Measuring the clusters', description: 'Free cores and memory are read' },
    { id: 'ranking', title: 'Ranking the clusters', description: 'The cluster with most room comes first' },
  ],
  request: RunSimulationRequest,
  failure_result: (id) => resultOf(id, []),
  async perform(request, { id, step }) {
    const need = await step('validation', async () => {
      const size = await assertRunnable(request.model_uri ?? request.pretrained_model_uri, options.artefacts);
      const resources = replicaFootprint(size);
      return { message: `a replica is reckoned with ${resources.memory_mib} MiB of memory`, value: resources };
    });
    const clusters = await step('performance_estimation', async () => {
      const all = await options.clusters().catch((cause: unknown) => {
        throw new StepFailed('the cluster service cannot be reached', { cause });
      });
      const asked = all.filter((cluster) => (request.cluster_id ?? cluster.cluster_id) === cluster.cluster_id);
      return { message: `${asked.length} clusters measured`, value: asked };
    });
    return step('ranking', () => {
      const { recommendations, refused } = rankClusters(clusters, { need, concurrency: request.concurrency });
      if (recommendations.length === 0) {
        const why = refused.length === 0 ? 'no cluster is registered that was asked for' : refused.join('; ');
        throw new StepFailed(`no cluster has room for a replica: ${why}`);
      }
      const message = `${recommendations.length} clusters fit`;
      return Promise.resolve({ message, value: resultOf(id, recommendations) });
    });
  },
});
