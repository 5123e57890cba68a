import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';

/** An uploaded file, and the stream of the resource that is to be made of it. */
export interface UploadedFile {
  key: string;
  stream: string;
}

/** Remembers the files whose upload has begun and not ended, also over the end of the process. */
export interface PendingUploads {
  add(file: UploadedFile): Promise<void>;
  remove(key: string): Promise<void>;
  /** Those that nobody works at any more. */
  listAbandoned(): Promise<readonly UploadedFile[]>;
}

/** No upload takes so long. Where other processes may receive uploads, nothing younger is taken for abandoned. */
const ABANDONED_HOURS = 24;

/** `alone`: no other process receives uploads, so what an earlier run has left is abandoned at once. */
export const createPendingUploads = ({ pool, alone }: { pool: Pool; alone: boolean }): PendingUploads => {
  const owner = randomUUID();
  return {
    async add({ key, stream }) {
      await pool.query('insert into pending_uploads (key, stream, owner) values ($1, $2, $3)', [key, stream, owner]);
    },
    async remove(key) {
      await pool.query('delete from pending_uploads where key = $1', [key]);
    },
    async listAbandoned() {
      const { rows } = await pool.query<UploadedFile>(
        `select key, stream from pending_uploads
         where started_at < now() - $1 * interval '1 hour' or ($2 and owner <> $3)`,
        [ABANDONED_HOURS, alone, owner],
      );
      return rows;
    },
  };
};
