import type { Pool } from 'pg';
import type { Proof, ProofSubject, Proofs } from '../../ports/proofs.ts';

const columnsOf = (subjects: readonly ProofSubject[]): [string[], string[]] => [
  subjects.map(({ area }) => area),
  subjects.map(({ id }) => id),
];

/** Ordered, so that two processes that write the same rows do not wait for each other in a circle. */
const RECORD = `
  insert into status_proofs (area, id, proven_at)
  select distinct area, id, now() from unnest($1::text[], $2::uuid[]) as proven (area, id) order by area, id
  on conflict (area, id) do update set proven_at = excluded.proven_at, proofs = status_proofs.proofs + 1`;

const toText = (time: Date): string => time.toISOString();

export const createProofs = ({ pool }: { pool: Pick<Pool, 'query'> }): Proofs => ({
  async record(subjects) {
    if (subjects.length > 0) await pool.query(RECORD, columnsOf(subjects));
  },
  async find({ area, id }) {
    const { rows } = await pool.query<{ proven_at: Date }>(
      'select proven_at from status_proofs where area = $1 and id = $2',
      [area, id],
    );
    return rows[0] ? toText(rows[0].proven_at) : null;
  },
  async list() {
    const { rows } = await pool.query<Omit<Proof, 'at'> & { proven_at: Date }>(
      `select area, id, proven_at, proofs::text as count,
         (extract(epoch from clock_timestamp() - proven_at) * 1000)::float8 as age_ms
       from status_proofs`,
    );
    return rows.map(({ proven_at, ...proof }) => ({ ...proof, at: toText(proven_at) }));
  },
  async forget(subjects) {
    if (subjects.length === 0) return;
    await pool.query(
      'delete from status_proofs where (area, id) in (select * from unnest($1::text[], $2::uuid[]))',
      columnsOf(subjects),
    );
  },
});
