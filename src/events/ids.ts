import { createHash, randomFillSync } from 'node:crypto';
import { v5, v7 } from 'uuid';
import { z } from 'zod';

/**
 * UUIDs, branded so that one kind cannot be passed for another. The server makes them as UUIDv7, except `UserId` (see
 * `userIdOf`).
 */
const id = <Kind extends string>(_kind: Kind) => z.uuid().brand<Kind>();

export const TenantId = id('TenantId');
export type TenantId = z.output<typeof TenantId>;
export const UserId = id('UserId');
export type UserId = z.output<typeof UserId>;
export const ProjectId = id('ProjectId');
export type ProjectId = z.output<typeof ProjectId>;
export const ModelId = id('ModelId');
export type ModelId = z.output<typeof ModelId>;
export const ClusterId = id('ClusterId');
export type ClusterId = z.output<typeof ClusterId>;
export const EndpointId = id('EndpointId');
export type EndpointId = z.output<typeof EndpointId>;
export const WorkflowId = id('WorkflowId');
export type WorkflowId = z.output<typeof WorkflowId>;
export const CommandId = id('CommandId');
export type CommandId = z.output<typeof CommandId>;
export const EventId = id('EventId');
export type EventId = z.output<typeof EventId>;

const EVENT_NAMESPACE = '5b0f6a5e-7f0c-5c61-9a55-2a1f3c1d8e10';
const COMMAND_NAMESPACE = '9d2c9f6a-94f3-5f0e-8c7e-6f8a31b7d2c4';
const USER_NAMESPACE = '0f3d3c52-0c3b-5f63-8a8f-8d5f2f3f7b1e';

const UUID_BYTES = 16;
const random = new Uint8Array(256 * UUID_BYTES);
let drawn = random.length;

/**
 * Reads random bytes for 256 ids at once, since a call of the operating system's generator takes longer than the rest
 * of making an id.
 */
const rng = (): Uint8Array => {
  if (drawn === random.length) {
    randomFillSync(random);
    drawn = 0;
  }
  drawn += UUID_BYTES;
  return random.subarray(drawn - UUID_BYTES, drawn);
};

/** A new UUIDv7. */
export const newUuid = (): string => v7({ rng });

/** A new UUIDv7 of a brand: `newId(ProjectId)`. */
export const newId = <Schema extends z.ZodType>(schema: Schema): z.output<Schema> => schema.parse(newUuid());

/** The id of the n-th event that a command appends to a stream; the same command always makes the same ids. */
export const eventIdOf = (commandId: CommandId, stream: string, index: number): EventId =>
  EventId.parse(v5(`${commandId}:${stream}:${index}`, EVENT_NAMESPACE));

/** The id of a command that a process sends; the same reaction always has the same id. */
export const commandIdOf = (cause: string): CommandId => CommandId.parse(v5(cause, COMMAND_NAMESPACE));

/** The id of a user, derived from tenant and subject, so that concurrent first logins create one user. */
export const userIdOf = (tenantId: TenantId, subject: string): UserId =>
  UserId.parse(v5(`${tenantId}:${subject}`, USER_NAMESPACE));

/**
 * A further id of a command (for example of the workflow of a deployment): a UUIDv7 with the time of `commandId` where
 * that has one, always the same for the same command and purpose.
 */
export const deriveId = (commandId: CommandId, purpose: string): string => {
  const time = commandId.replaceAll('-', '').slice(0, 12);
  const hash = createHash('sha256').update(`${commandId}:${purpose}`).digest('hex');
  const variant = ((Number.parseInt(hash.slice(3, 4), 16) & 0x3) | 0x8).toString(16);
  const tail = `7${hash.slice(0, 3)}${variant}${hash.slice(4, 19)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${tail.slice(0, 4)}-${tail.slice(4, 8)}-${tail.slice(8)}`;
};

/** When a UUIDv7 was made, in milliseconds since 1970: its first 48 bits. */
export const madeAt = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
