import { deleteEndpoint } from '../../src/commands/endpoint/delete-endpoint.ts';
import { failEndpointRepair } from '../../src/commands/endpoint/internal/fail-endpoint-repair.ts';
import { recordEndpointRepaired } from '../../src/commands/endpoint/internal/record-endpoint-repaired.ts';
import { recordEndpointReport } from '../../src/commands/endpoint/internal/record-endpoint-report.ts';
import { recordEndpointSilence } from '../../src/commands/endpoint/internal/record-endpoint-silence.ts';
import { requestEndpointRepair } from '../../src/commands/endpoint/internal/request-endpoint-repair.ts';
import { scaleEndpoint } from '../../src/commands/endpoint/scale-endpoint.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, later, made, NOW, requester } from './given.ts';

const requested = fact('EndpointRequested');
const { endpoint_id, workflow_id } = requested.data;
const deploying = [requested, fact('EndpointPlacementStarted'), fact('EndpointPlaced')];
const worker = (name: string, status = 'Running') => ({ name, status, node_name: null, device_name: null });
const counts = (total: number) => ({ total, available: total, failed: 0, pending: 0 });
const seen = (...names: string[]) => ({
  replicas: counts(names.length),
  ingress_healthy: true,
  workers: names.map((name) => worker(name)),
});
const running = [...deploying, fact('EndpointDeployed', seen('w-1', 'w-2'))];
const unknown = [...running, fact('EndpointBecameUnknown', { deadline: later(60) })];
const degraded = [...running, fact('EndpointDegraded', seen('w-1'))];
const scaling = [...running, fact('EndpointScalingRequested')];
const available = { cluster: [fact('ClusterRegistrationRequested'), fact('ClusterRegistered')] };
const unavailable = { cluster: [...available.cluster, fact('ClusterBecameUnavailable')] };
const silence = { endpoint_id, last_proof_at: NOW };
const repair = { endpoint_id, deployment_found: true };
const repairing = (until: string) => [
  ...degraded,
  fact('EndpointRepairRequested', { workflow_id, attempt: 2, deadline: until }),
];

describe('an endpoint of which nothing is heard', () => {
  it('is unknown, with the time of the last proof, and is so once', () => {
    const became = {
      type: 'EndpointBecameUnknown',
      data: { last_proof_at: NOW, deadline: later(600) },
    } as const;
    for (const before of [running, degraded])
      given(...before)
        .when(recordEndpointSilence, silence)
        .then(became);
    given(...unknown)
      .when(recordEndpointSilence, silence)
      .thenNothing();
    const late = [...running, fact('EndpointBecameUnknown', { deadline: NOW })];
    given(...late)
      .when(recordEndpointSilence, silence)
      .then({ type: 'EndpointReportOverdue', data: { deadline: later(600) } });
  });

  it('is left to its workflow while it is deployed, changed or deleted', () => {
    for (const before of [deploying, scaling, [...running, fact('EndpointDeletionRequested')]]) {
      given(...before)
        .when(recordEndpointSilence, silence)
        .thenNothing();
    }
  });

  it('is what the next report says', () => {
    const report = { endpoint_id, status: 'ready' };
    given(...unknown)
      .when(recordEndpointReport, { ...report, ...seen('w-1', 'w-2') })
      .then({ type: 'EndpointRecovered' });
    given(...unknown)
      .when(recordEndpointReport, { ...report, ...seen('w-1') })
      .then({
        type: 'EndpointDegraded',
        data: { reason: { code: 'replicas-missing', message: '1 of 2 replicas are available.' } },
      });
  });

  it('can be deleted, and not scaled', () => {
    given(...unknown)
      .when(deleteEndpoint, { endpoint_id })
      .then({ type: 'EndpointDeletionRequested' });
    given(...unknown)
      .knowing(available)
      .when(scaleEndpoint, { endpoint_id, replicas: 3 })
      .thenRefused('endpoint-not-running');
  });
});

describe('a report of what is not desired', () => {
  const codeOf = (code: string, message: string) =>
    ({ type: 'EndpointDegraded', data: { reason: { code, message } } }) as const;

  it('names the surplus, and which of it is unknown', () => {
    given(...running)
      .when(recordEndpointReport, { endpoint_id, status: 'ready', ...seen('w-1', 'w-2', 'stray') })
      .then(codeOf('replicas-surplus', '3 replicas run, 2 are desired. Unknown: stray. The surplus is removed.'));
  });

  it('says that the cluster does not know the deployment', () => {
    given(...running)
      .when(recordEndpointReport, { endpoint_id, status: 'missing', ...seen(), ingress_healthy: null })
      .then(codeOf('deployment-missing', 'The cluster does not know the deployment any more. It is deployed again.'));
  });
});

describe('the repair of an endpoint', () => {
  it('is for what is degraded and differs from what is desired', () => {
    given(...degraded)
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .then({
        type: 'EndpointRepairRequested',
        data: {
          ...{ workflow_id: made('repair'), user_id: requester, replicas: 2, redeploy: false, attempt: 1 },
          ...{ known_workers: ['w-1', 'w-2'], deadline: later(900) },
        },
      });
    for (const before of [deploying, running, unknown, scaling]) {
      given(...before)
        .knowing(available)
        .when(requestEndpointRepair, repair)
        .thenNothing();
    }
    // All are there, though one does not run: the cluster starts it again by itself.
    const down = { replicas: { ...counts(2), available: 1, failed: 1 }, ingress_healthy: true };
    const ill = fact('EndpointDegraded', { ...down, workers: [worker('w-1'), worker('w-2', 'Pending')] });
    given(...running, ill)
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .thenNothing();
    given(...running, ill)
      .knowing(available)
      .when(requestEndpointRepair, { ...repair, deployment_found: false })
      .then({ type: 'EndpointRepairRequested', data: { redeploy: true } });
  });

  it('waits for its cluster', () => {
    given(...degraded)
      .knowing(unavailable)
      .when(requestEndpointRepair, repair)
      .thenNothing();
    given(...degraded)
      .knowing({ cluster: [] })
      .when(requestEndpointRepair, repair)
      .thenNothing();
  });

  it('goes on alone until its deadline, and after a failure not at once', () => {
    const again = { type: 'EndpointRepairRequested', data: { attempt: 3 } } as const;
    given(...repairing(later(1)))
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .thenNothing();
    given(...repairing(NOW))
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .then(again);
    const reason = { code: 'cluster-full', message: 'No room.' };
    const failure = { endpoint_id, workflow_id, reason };
    given(...repairing(later(1)))
      .when(failEndpointRepair, failure)
      .then({ type: 'EndpointRepairFailed', data: { retry_at: later(60) } });
    const failed = [...repairing(later(1)), fact('EndpointRepairFailed', { retry_at: later(9) })];
    given(...failed)
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .thenNothing();
    given(...failed)
      .when(failEndpointRepair, failure)
      .thenNothing();
    const due = [...repairing(later(1)), fact('EndpointRepairFailed', { retry_at: NOW })];
    given(...due)
      .knowing(available)
      .when(requestEndpointRepair, repair)
      .then(again);
  });

  const done = { endpoint_id, workflow_id, deployment: null, ...seen('w-1', 'w-3') };

  it('ends with what the cluster runs then, and the endpoint runs where that is what is desired', () => {
    given(...repairing(later(1)))
      .when(recordEndpointRepaired, done)
      .then({ type: 'EndpointRepaired' }, { type: 'EndpointRecovered' });
    given(...repairing(later(1)))
      .when(recordEndpointRepaired, { ...done, ...seen('w-1') })
      .then({ type: 'EndpointRepaired' });
    given(...repairing(later(1)), fact('EndpointRepaired'))
      .when(recordEndpointRepaired, done)
      .thenRefused('repair-superseded');
  });

  it('means nothing any more once the endpoint was changed or deleted', () => {
    for (const type of ['EndpointScalingRequested', 'EndpointDeletionRequested'] as const) {
      given(...repairing(later(1)), fact(type))
        .when(recordEndpointRepaired, done)
        .thenRefused('repair-superseded');
    }
    const other = { ...done, workflow_id: newId(WorkflowId) };
    given(...repairing(later(1)))
      .when(recordEndpointRepaired, other)
      .thenRefused('repair-superseded');
  });

  it('ends, too, where a report has said already that all is well, unless it has moved what was well', () => {
    const recovered = [...repairing(later(1)), fact('EndpointRecovered', seen('w-1', 'w-3'))];
    given(...recovered)
      .when(recordEndpointRepaired, done)
      .then({ type: 'EndpointRepaired' });
    const deployment = { bud_cluster_id: 'bud-1', namespace: 'b', url: 'http://b', supported_endpoints: [] };
    given(...recovered)
      .when(recordEndpointRepaired, { ...done, deployment })
      .thenRefused('repair-superseded');
  });
});
