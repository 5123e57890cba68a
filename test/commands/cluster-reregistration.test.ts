import { failClusterReregistration } from '../../src/commands/cluster/internal/fail-cluster-reregistration.ts';
import { recordClusterReregistered } from '../../src/commands/cluster/internal/record-cluster-reregistered.ts';
import { requestClusterReregistration } from '../../src/commands/cluster/internal/request-cluster-reregistration.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, later, made, NOW, requester } from './given.ts';

const requested = fact('ClusterRegistrationRequested');
const { cluster_id, configuration, name } = requested.data;
const available = [requested, fact('ClusterRegistered')];
const unavailable = [...available, fact('ClusterBecameUnavailable')];
const again = fact('ClusterReregistrationRequested', { deadline: later(60), attempt: 1 });
const { workflow_id } = again.data;
const under_way = [...unavailable, again];
const registered = { cluster_id, workflow_id, bud_cluster_id: 'bud-2', nodes: [] };

describe('a cluster that the cluster service has forgotten', () => {
  it('is registered there again while it is unavailable, once at a time', () => {
    given(...unavailable)
      .when(requestClusterReregistration, { cluster_id })
      .then({
        type: 'ClusterReregistrationRequested',
        data: {
          workflow_id: made('reregistration'),
          user_id: requester,
          name,
          configuration,
          attempt: 1,
          deadline: later(600),
        },
      });
    for (const before of [[requested], available, under_way, [...unavailable, fact('ClusterDeletionRequested')]]) {
      given(...before)
        .when(requestClusterReregistration, { cluster_id })
        .thenNothing();
    }
  });

  it('is available with that, under the new id', () => {
    given(...under_way)
      .when(recordClusterReregistered, registered)
      .then({ type: 'ClusterReregistered', data: { bud_cluster_id: 'bud-2' } }, { type: 'ClusterBecameAvailable' });
  });

  it('is tried again after a pause that grows', () => {
    const reason = { code: 'x', message: 'No.' };
    given(...under_way)
      .when(failClusterReregistration, { cluster_id, workflow_id, reason })
      .then({ type: 'ClusterReregistrationFailed', data: { retry_at: later(30) } });
    const failed = (retry_at: string) => [...under_way, fact('ClusterReregistrationFailed', { retry_at })];
    given(...failed(later(1)))
      .when(requestClusterReregistration, { cluster_id })
      .thenNothing();
    given(...failed(NOW))
      .when(requestClusterReregistration, { cluster_id })
      .then({ type: 'ClusterReregistrationRequested', data: { attempt: 2 } });
  });

  it('refuses what was registered in vain: it is known after all, deleted, or another attempt goes on', () => {
    for (const before of [
      [...under_way, fact('ClusterBecameAvailable')],
      [...under_way, fact('ClusterDeletionRequested')],
    ]) {
      given(...before)
        .when(recordClusterReregistered, registered)
        .thenRefused('reregistration-superseded');
    }
    given(...under_way)
      .when(recordClusterReregistered, { ...registered, workflow_id: newId(WorkflowId) })
      .thenRefused('reregistration-superseded');
  });
});
