import type { ClientBase } from 'pg';
import { z } from 'zod';
import { EventId, TenantId, UserId, WorkflowId } from '../../events/ids.ts';
import { addIntents } from '../../processes/engine/intent-queue.ts';
import { after, call } from '../../processes/process.ts';
import { reportTo } from '../../processes/workflow-intents.ts';

/** An endpoint that was deployed, and of which the log has no fact any more: nobody could see or delete it. */
const Orphan = z.object({
  endpoint_id: z.uuid(),
  name: z.string(),
  bud_cluster_id: z.string(),
  namespace: z.string(),
  event_id: EventId,
  tenant_id: TenantId,
  workflow_id: WorkflowId,
  user_id: UserId,
  correlation_id: z.uuid(),
});
export type Orphan = z.output<typeof Orphan>;

/** Who performs their removal, as the audit of the cluster's side would name it. */
const PROCESS = 'log-heal';
const GIVE_UP_SECONDS = 24 * 3600;

/** Over the tables of `compare-audit.ts`. */
const FIND = (isLost: string): string => `
  select distinct on (d.stream) d.resource_id as endpoint_id, r.data ->> 'name' as name, d.event_id, d.tenant_id,
    p.data ->> 'bud_cluster_id' as bud_cluster_id, d.data ->> 'namespace' as namespace,
    d.data ->> 'workflow_id' as workflow_id, r.actor_id as user_id, d.correlation_id
  from audit_log d
  join audit_now n on n.position = d.position
  join audit_log r on r.stream = d.stream and r.event_type = 'EndpointRequested' and r.actor_type = 'user'
  join audit_log p on p.stream = d.stream and p.event_type = 'EndpointPlaced'
  where d.event_type = 'EndpointDeployed' and ${isLost}
    and not exists (select from log_now l where l.stream = d.stream)
    and not exists (select from audit_log e where e.stream = d.stream and e.event_type = 'EndpointDeleted')
  order by d.stream, d.position desc`;

/**
 * Has the deployments removed of which the log has no fact any more, by an intent for each that the dispatcher performs after the
 * start; inside the caller's transaction, while the audit still has their facts. `isLost` is the condition on `audit_now`.
 */
export const removeOrphans = async (client: ClientBase, isLost: string): Promise<Orphan[]> => {
  const orphans = z.array(Orphan).parse((await client.query(FIND(isLost))).rows);
  const give_up_at = after(new Date().toISOString(), GIVE_UP_SECONDS);
  await addIntents(
    client,
    orphans.map(({ endpoint_id, bud_cluster_id, namespace, ...of }) => ({
      process: PROCESS,
      instance_id: endpoint_id,
      tenant_id: of.tenant_id,
      // Nobody waits for the outcome.
      workflow_id: null,
      event_id: of.event_id,
      n: 0,
      intent: call(
        'cluster.delete-deployment',
        { cluster_id: bud_cluster_id, namespace, ...reportTo(of.workflow_id, of.user_id) },
        { give_up_at },
      ),
      meta: { correlation_id: of.correlation_id },
      give_up_at,
    })),
  );
  return orphans;
};
