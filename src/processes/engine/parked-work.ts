import type { Pool } from 'pg';
import { z } from 'zod';
import { findCommand } from '../../commands/catalog.ts';
import { parseInput } from '../../commands/engine/input.ts';
import { calls } from '../../contracts/calls.ts';
import { Rejected } from '../../errors.ts';
import { withoutSealed } from '../../events/sealed.ts';
import type { ParkedWork } from '../../ports/process-operations.ts';
import { toStorableJson } from '../../storable-text.ts';
import type { Effect } from '../process.ts';

type Queryable = Pick<Pool, 'query'>;
/** The parked intent; its request may have sealed text. */
export type StoredWork = Omit<ParkedWork, 'work' | 'request'> & { intent: Effect };

export const nameOf = (effect: Effect): string => {
  switch (effect.kind) {
    case 'command':
      return effect.command;
    case 'call':
      return effect.call;
    case 'lookup-clusters':
    case 'remove-object':
      return effect.kind;
  }
};

/** The parked intents, oldest first: all, or that with this id. */
export const readParkedWork = async (client: Queryable, id: string | null = null): Promise<StoredWork[]> => {
  const { rows } = await client.query<StoredWork & { parked_at: Date; give_up_at: Date }>(
    `select i.id::text, i.tenant_id, i.process, i.instance_id, i.workflow_id, i.intent, i.attempts, i.failures,
       coalesce(i.last_error, '') as error, i.parked_at, i.give_up_at,
       (select count(*)::integer from process_intents l
        where l.process = i.process and l.instance_id = i.instance_id and l.lane = i.lane and l.id > i.id
          and l.done_at is null) as waiting
     from process_intents i
     where i.parked_at is not null and i.done_at is null and ($1::bigint is null or i.id = $1)
     order by i.parked_at, i.id`,
    [id],
  );
  return rows.map((row) => ({
    ...row,
    parked_at: row.parked_at.toISOString(),
    give_up_at: row.give_up_at.toISOString(),
  }));
};

const hasSecret = (value: unknown): boolean => JSON.stringify(withoutSealed(value)) !== JSON.stringify(value);

const requestOf = (effect: Effect): unknown => {
  switch (effect.kind) {
    case 'command':
      return effect.data;
    case 'call':
      return effect.input;
    case 'lookup-clusters':
      return { bud_cluster_ids: effect.bud_cluster_ids };
    case 'remove-object':
      return { key: effect.key };
  }
};

export const toParkedWork = ({ intent, ...row }: StoredWork): ParkedWork => ({
  ...row,
  work: nameOf(intent),
  request: withoutSealed(requestOf(intent)),
});

const Fields = z.record(z.string(), z.unknown());

/** Pure. The request with the changed fields in place of its own. Throws `Rejected`. */
const withChanges = (request: unknown, changes: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const fields = Fields.parse(request);
  for (const name of Object.keys(changes)) {
    if (!Object.hasOwn(fields, name)) {
      throw new Rejected('invalid', 'unknown-field', `The request has no field ${name}.`, {
        errors: [{ pointer: `/changes/${name}`, detail: 'The request has no such field.' }],
      });
    }
    if (hasSecret(fields[name])) {
      throw new Rejected('invalid', 'sealed-field', `The field ${name} has a secret, and cannot be changed here.`);
    }
  }
  return { ...fields, ...changes };
};

/** Pure. The intent with changed fields in its request, checked as that of a new one. Throws `Rejected`. */
export const editWork = (intent: Effect, changes: Readonly<Record<string, unknown>>): Effect => {
  switch (intent.kind) {
    case 'call': {
      const input = withChanges(intent.input, changes);
      parseInput(calls[intent.call].input, input);
      return { ...intent, input };
    }
    case 'command': {
      const data = withChanges(intent.data, changes);
      const command = findCommand(intent.command);
      if (command) parseInput(command.data, data);
      return { ...intent, data };
    }
    case 'lookup-clusters':
    case 'remove-object':
      throw new Rejected('invalid', 'not-editable', `The request of ${intent.kind} cannot be changed.`);
  }
};

/** Releases a parked intent, changed or not: it is due now and has all its attempts again. False: it is not parked any more. */
export const unparkIntent = async (client: Queryable, id: string, intent: Effect): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update process_intents set parked_at = null, attempts = 0, due_at = now(), intent = $2::jsonb,
       give_up_at = case when intent ->> 'kind' = 'command' then null else give_up_at end
     where id = $1 and parked_at is not null and done_at is null`,
    [id, toStorableJson(intent)],
  );
  return rowCount === 1;
};

/** Gives a parked intent up at once, which its workflow is told. False: it is not parked any more. */
export const skipIntent = async (client: Queryable, id: string): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update process_intents set parked_at = null, skipped = true, give_up_at = now(), due_at = now()
     where id = $1 and parked_at is not null and done_at is null`,
    [id],
  );
  return rowCount === 1;
};
