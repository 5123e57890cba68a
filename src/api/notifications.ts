import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { type Caller, systemCaller } from '../commands/access.ts';
import { isAvailable, toClusterNodes } from '../commands/cluster/cluster-report.ts';
import { recordClusterStatus } from '../commands/cluster/internal/record-cluster-status.ts';
import type { AnyCommand } from '../commands/command.ts';
import { toEndpointReport } from '../commands/endpoint/endpoint-report.ts';
import { recordEndpointReport } from '../commands/endpoint/internal/record-endpoint-report.ts';
import { recordServiceMessage } from '../commands/workflow/internal/record-service-message.ts';
import { recordUnreadableMessage } from '../commands/workflow/internal/record-unreadable-message.ts';
import {
  type DeliveryAnswer,
  Notification,
  NotificationAddress,
  type NotificationPayload,
  parseResult,
} from '../contracts/notification.ts';
import { Rejected } from '../errors.ts';
import { streamOf } from '../events/catalog.ts';
import { CommandId, commandIdOf, newId, TenantId, WorkflowId } from '../events/ids.ts';
import { failureText } from '../failures/failure-text.ts';
import { createThrottle } from '../resilience/throttle.ts';
import type { ServiceMessageBody } from './http/json-body.ts';
import type { RequestFacts } from './request-facts.ts';
import type { ApiServices } from './services.ts';

type Delivery = z.output<typeof DeliveryAnswer>['status'];

interface Message {
  id: string | null;
  payload: NotificationPayload;
  facts: RequestFacts;
}

/** What a message needs to be recorded. */
interface Sent extends Pick<Message, 'id' | 'facts'> {
  payload: Pick<NotificationPayload, 'source'>;
}

/**
 * How long to wait until the read model shows what a message is about: a service's first message can overtake the read
 * model.
 */
const LOOKUP_TIMEOUT_MS = 3000;

const serviceCaller = (tenantId: TenantId, source: string): Caller =>
  systemCaller(tenantId, { type: 'service', id: source, name: source });

export type NotificationServices = Pick<ApiServices, 'handle' | 'log' | 'logger' | 'proofs'> & {
  readModels: Pick<ApiServices['readModels'], 'waitFor' | 'findEndpointByNamespace' | 'findClusterByBudId'>;
};

/** Records messages of services. Returns the sidecar's verdict on each: recorded, deliver again, or drop. */
export const createNotifications = (services: NotificationServices) => {
  const { handle, log, readModels, proofs, logger } = services;
  // During an outage each message is delivered again every few seconds.
  const throttled = createThrottle();

  const perform = (
    command: AnyCommand,
    data: unknown,
    about: { message: Sent; tenant_id: TenantId; correlation_id?: string },
  ) => {
    const { message, tenant_id, correlation_id = message.facts.correlation_id } = about;
    // Two deliveries with the same id are the same message. A message without an id is always a new one.
    const commandId = message.id === null ? newId(CommandId) : commandIdOf(`message:${message.id}`);
    return handle(command, data, {
      caller: serviceCaller(tenant_id, message.payload.source || 'service'),
      command_id: commandId,
      correlation_id,
      traceparent: message.facts.traceparent,
      may_repeat: true,
    });
  };

  /**
   * Reads tenant and correlation from the workflow's first event, so that the message joins the chain of the request
   * that started the workflow. Reads the log, since a read model may lag.
   */
  const originOf = async (workflowId: string) => {
    for await (const { meta } of log.readStream(streamOf('workflow', workflowId), { limit: 1 })) {
      return { tenant_id: meta.tenant_id, correlation_id: meta.correlation_id };
    }
    return null;
  };

  const drop = (message: Message, why: string): Delivery => {
    const { type, event, source, workflow_id } = message.payload;
    logger.warn({ message_id: message.id, type, event, source, workflow_id }, `message dropped: ${why}`);
    return 'DROP';
  };

  const recordForWorkflow = async (message: Message, workflowId: string): Promise<Delivery> => {
    const known = WorkflowId.safeParse(workflowId);
    const origin = known.success ? await originOf(known.data) : null;
    if (origin === null) return drop(message, 'its workflow does not exist');
    const { type, event, content } = message.payload;
    const data = {
      workflow_id: workflowId,
      message_id: message.id ?? '',
      message_type: type,
      message_event: event,
      status: content.status ?? '',
      title: content.title ?? '',
      text: content.message ?? '',
      result: content.result ?? null,
    };
    try {
      await perform(recordServiceMessage, data, { message, ...origin });
      return 'SUCCESS';
    } catch (error) {
      if (!(error instanceof Rejected) || error.code !== 'append-too-large') throw error;
      const why = 'it is too large for the log';
      await perform(recordUnreadableMessage, { workflow_id: workflowId, why }, { message, ...origin });
      return drop(message, why);
    }
  };

  /** Where the message is about a workflow, that one waits for nothing more. */
  const recordUnreadable = async (content: unknown, issues: readonly z.core.$ZodIssue[], facts: RequestFacts) => {
    const address = NotificationAddress.safeParse(content).data;
    const workflow_id = WorkflowId.safeParse(address?.payload.workflow_id).data;
    const isOurs = (address?.payload.category ?? 'internal') === 'internal';
    const origin = workflow_id === undefined || !isOurs ? null : await originOf(workflow_id);
    const why = issues.slice(0, 3).map(({ path, message }) => `${path.join('.')}: ${message}`);
    logger.warn({ workflow_id, issues: issues.slice(0, 5) }, 'message dropped: it is malformed');
    if (!address || origin === null) return;
    const message = { id: address.id ?? null, payload: { source: address.payload.source }, facts };
    await perform(recordUnreadableMessage, { workflow_id, why: why.join('; ').slice(0, 500) }, { message, ...origin });
  };

  /** Looks again once the read models have caught up with the log's present head. */
  const findFresh = async <T>(names: readonly string[], find: () => Promise<T | null>): Promise<T | null> => {
    const found = await find();
    if (found) return found;
    const head = await log.head();
    if (head === null) return null;
    await readModels.waitFor(names, head, { timeout_ms: LOOKUP_TIMEOUT_MS });
    // The swap of a rebuilt table may hide a row for a moment.
    await sleep(20);
    return find();
  };

  const recordCluster = async (message: Message): Promise<Delivery> => {
    const update = parseResult('cluster-status-update', message.payload.content.result);
    if (!update) return drop(message, 'its result is malformed');
    const cluster = await findFresh(['clusters'], () => readModels.findClusterByBudId(update.cluster_id));
    if (!cluster) return drop(message, 'its cluster does not exist');
    const available = isAvailable(update.status);
    const nodes = update.node_info?.nodes;
    const reason = { code: 'reported-unavailable', message: `The cluster service reports: ${update.status}.` };
    const data = {
      cluster_id: cluster.id,
      available,
      ...(nodes ? { nodes: toClusterNodes(nodes) } : {}),
      ...(available ? {} : { reason }),
    };
    await perform(recordClusterStatus, data, { message, tenant_id: TenantId.parse(cluster.tenant_id) });
    await proofs.record([{ area: 'cluster', id: cluster.id }]);
    return 'SUCCESS';
  };

  const recordEndpoint = async (message: Message): Promise<Delivery> => {
    const update = parseResult('deployment-status-update', message.payload.content.result);
    if (!update) return drop(message, 'its result is malformed');
    const find = () => readModels.findEndpointByNamespace(update.deployment_name);
    const endpoint = await findFresh(['endpoints'], find);
    if (!endpoint) return drop(message, 'its deployment does not exist');
    const data = { endpoint_id: endpoint.id, ...toEndpointReport(update) };
    await perform(recordEndpointReport, data, { message, tenant_id: TenantId.parse(endpoint.tenant_id) });
    await proofs.record([{ area: 'endpoint', id: endpoint.id }]);
    return 'SUCCESS';
  };

  const record = (message: Message): Promise<Delivery> | Delivery => {
    const { workflow_id, type, category } = message.payload;
    if (category && category !== 'internal') return 'DROP';
    if (workflow_id) return recordForWorkflow(message, workflow_id);
    if (type === 'cluster-status-update') return recordCluster(message);
    if (type === 'deployment-status-update') return recordEndpoint(message);
    return drop(message, 'it belongs to no workflow');
  };

  /** A refusal of the domain is final; any other error may pass. */
  const deliveryOf = (error: unknown, message: Message | null): Delivery => {
    const isFinal = error instanceof Rejected && error.kind !== 'unavailable' && error.code !== 'concurrent-change';
    if (isFinal) return message === null ? 'DROP' : drop(message, `refused, ${error.code}`);
    const about = { err: error, message_id: message?.id };
    throttled(() => logger.warn(about, 'messages could not be recorded: the sidecar delivers them again'));
    return 'RETRY';
  };

  return {
    /** Never throws, since the sidecar must always get a verdict. */
    async receive(body: ServiceMessageBody, facts: RequestFacts): Promise<Delivery> {
      // The sidecar would deliver the same bytes again and again.
      if ('unreadable' in body) {
        logger.warn({ code: body.unreadable.code }, `message dropped: ${failureText(body.unreadable)}`);
        return 'DROP';
      }
      const parsed = Notification.safeParse(body.content);
      if (!parsed.success) {
        const { issues } = parsed.error;
        const recorded = recordUnreadable(body.content, issues, facts).then((): Delivery => 'DROP');
        return recorded.catch((error) => deliveryOf(error, null));
      }
      // A message without a payload is workflow metadata of the services, which BudApp does not use.
      if (!parsed.data.payload) return 'DROP';
      const message: Message = { id: parsed.data.id ?? null, payload: parsed.data.payload, facts };
      try {
        return await record(message);
      } catch (error) {
        return deliveryOf(error, message);
      }
    },
  };
};
