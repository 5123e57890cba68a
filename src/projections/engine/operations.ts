import type { Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import type { Log } from '../../ports/log.ts';
import type { LogFence } from '../../ports/log-fence.ts';
import { readModelCatalog } from '../catalog.ts';
import type { ReadModel } from '../read-model.ts';
import { listParked, type ParkedEvent, retryParked, skipParked } from './parked.ts';
import { requestRebuild } from './rebuild.ts';
import { rowTypes } from './table.ts';

/** The status of a read model, for operators. */
export interface ProjectionStatus {
  name: string;
  /** Version of the rows that are served. */
  version: number;
  /** `waiting`: no process holds its lease. */
  status: 'live' | 'waiting' | 'building';
  position: Position | null;
  building: { version: number; position: Position | null } | null;
  /** The process that holds its lease. */
  owner: string | null;
  parked: number;
  rebuild_requested_at: string | null;
  swapped_at: string | null;
  updated_at: string;
}

export interface ProjectionOperations {
  status(): Promise<ProjectionStatus[]>;
  /**
   * Rebuilds the read model beside the serving table. Throws `Rejected` `not-found`, and `log-behind` while the log does
   * not have what the table shows.
   */
  rebuild(name: string): Promise<void>;
  listParked(): Promise<ParkedEvent[]>;
  /**
   * Retries a parked event. `resumed` is false where it, or an event behind it, failed and is parked again. Throws
   * `Rejected` `not-found`.
   */
  retryParked(id: string): Promise<{ resumed: boolean }>;
  /** Skips the event for good and continues with those behind it. Throws `Rejected` `not-found`. */
  skipParked(id: string): Promise<{ resumed: boolean }>;
}

/** The name of the lease of a read model's serving table. */
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

/** The operations work from any process: the one that holds the read model's lease notices the change. */
export const createProjectionOperations = ({
  pool,
  log,
  fence,
  models = readModelCatalog,
}: {
  pool: Pool;
  log: Log;
  /** Absent where the log cannot be behind. */
  fence?: Pick<LogFence, 'assertOpen'>;
  models?: readonly ReadModel[];
}): ProjectionOperations => ({
  status: () => readStatus(pool),
  rebuild: async (name) => {
    fence?.assertOpen();
    await requestRebuild(pool, name);
  },
  listParked: () => listParked(pool),
  retryParked: (id) => retryParked({ pool, log, models }, id),
  skipParked: (id) => skipParked({ pool, log, models }, id),
});
