import type { Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import { readModelCatalog } from '../catalog.ts';
import type { ReadModel } from '../read-model.ts';
import { listParked, type ParkedEvent, retryParked, skipParked } from './parked.ts';
import { requestRebuild } from './rebuild.ts';
import { rowTypes } from './table.ts';

/** A read model as operators see it. */
export interface ProjectionStatus {
  name: string;
  /** Of the rows that are served. */
  version: number;
  /** `waiting`: nobody works on it now. */
  status: 'live' | 'waiting' | 'building';
  position: Position | null;
  building: { version: number; position: Position | null } | null;
  /** Who works on it. */
  owner: string | null;
  parked: number;
  rebuild_requested_at: string | null;
  swapped_at: string | null;
  updated_at: string;
}

export interface ProjectionOperations {
  status(): Promise<ProjectionStatus[]>;
  /** Builds the read model anew, beside the one that serves. Throws `Rejected` `not-found`. */
  rebuild(name: string): Promise<void>;
  listParked(): Promise<ParkedEvent[]>;
  /** Tries again; `resumed` false: it, or one behind it, failed and is parked. Throws `Rejected` `not-found`. */
  retryParked(id: string): Promise<{ resumed: boolean }>;
  /** Leaves this one event out for good and goes on with those behind it. */
  skipParked(id: string): Promise<{ resumed: boolean }>;
}

/** The name of the lease under which a read model's table is kept up to date. */
export const leaseOf = (name: string): string => `projection:${name}`;
export const buildLeaseOf = (name: string): string => `projection-build:${name}`;

export const readStatus = async (pool: Pool): Promise<ProjectionStatus[]> => {
  const { rows } = await pool.query<ProjectionStatus>({
    text: `select p.name, p.version, p.position, p.rebuild_requested_at, p.swapped_at, p.updated_at, l.owner,
        case when b.name is not null then 'building' when l.owner is not null then 'live' else 'waiting' end as status,
        case when b.name is not null then jsonb_build_object('version', b.version, 'position', b.position) end as building,
        (select count(*) from parked_events e where e.projection = p.name) as parked
      from projections p
      left join projection_builds b on b.name = p.name
      left join leases l on l.name = 'projection:' || p.name and l.expires_at > clock_timestamp()
      order by p.name`,
    types: rowTypes,
  });
  return rows;
};

/** What operators do, from any process: the one that works on the read model takes notice. */
export const createProjectionOperations = ({
  pool,
  log,
  models = readModelCatalog,
}: {
  pool: Pool;
  log: Log;
  models?: readonly ReadModel[];
}): ProjectionOperations => ({
  status: () => readStatus(pool),
  rebuild: (name) => requestRebuild(pool, name),
  listParked: () => listParked(pool),
  retryParked: (id) => retryParked({ pool, log, models }, id),
  skipParked: (id) => skipParked({ pool, log, models }, id),
});
