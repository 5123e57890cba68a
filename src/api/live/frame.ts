import { z } from 'zod';
import { Area } from '../../events/catalog.ts';
import { Position } from '../../events/event.ts';
import { ProjectId, TenantId } from '../../events/ids.ts';
import type { StatusMessage } from '../../ports/status-bus.ts';

/** The fields of a status message that decide who sees it, and in which order. */
const Envelope = z.object({
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  position: Position,
  previousposition: Position.optional(),
  tenantid: TenantId,
  projectid: ProjectId.optional(),
  data: z.looseObject({ user_id: z.string().optional(), owner_id: z.string().optional() }),
});

/** A status message on its way to clients. */
export interface Frame {
  position: Position;
  /** Position of the previous status message; undefined where it is not known. */
  previous: Position | undefined;
  tenant_id: TenantId;
  project_id: ProjectId | null;
  area: Area;
  resource_id: string;
  /** The people whose permissions the event may change. */
  concerns: readonly string[];
  /** CloudEvents JSON, as clients get it. */
  text: string;
}

const ACCESS_EVENTS = /^bud\.(user\.|project\.project-(created|deleted|member-))/;

/** Parses a status message; null where it is not one of BudApp's. */
export const frameOf = ({ payload }: Pick<StatusMessage, 'payload'>): Frame | null => {
  let content: unknown;
  try {
    content = JSON.parse(payload);
  } catch {
    return null;
  }
  const parsed = Envelope.safeParse(content);
  if (!parsed.success) return null;
  const { type, subject, position, previousposition, tenantid, projectid, data } = parsed.data;
  const [area, resource_id] = subject.split('.').slice(-2);
  const known = Area.safeParse(area);
  if (!known.success || resource_id === undefined) return null;
  const people = ACCESS_EVENTS.test(type) ? [data.user_id, data.owner_id] : [];
  return {
    position,
    previous: previousposition,
    tenant_id: tenantid,
    project_id: projectid ?? null,
    area: known.data,
    resource_id,
    concerns: people.filter((id) => id !== undefined),
    text: payload,
  };
};
