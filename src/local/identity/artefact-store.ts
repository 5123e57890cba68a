import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider';

const seconds = (): number => Math.floor(Date.now() / 1000);

const payloadOf = (row: Record<string, SQLOutputValue> | undefined): AdapterPayload | undefined =>
  typeof row?.payload === 'string' ? JSON.parse(row.payload) : undefined;

const SWEEP_EVERY_SECONDS = 60;

/** Keeps what oidc-provider asks to be kept (grants, sessions, codes, refresh tokens) so that it survives a restart. */
export const createArtefactStore = (
  database: DatabaseSync,
  { reuse_seconds }: { reuse_seconds: number },
): AdapterFactory => {
  /**
   * A refresh token whose answer may have been lost: the provider would end the session of who sends it again. Whoever
   * asks BudApp again gets the first answer instead, except where a crash came between the two.
   */
  const unlessJustUsed = (kind: string, payload: AdapterPayload | undefined): AdapterPayload | undefined => {
    if (kind !== 'RefreshToken' || typeof payload?.consumed !== 'number') return payload;
    if (seconds() - payload.consumed >= reuse_seconds) return payload;
    const { consumed: _consumed, ...unused } = payload;
    return unused;
  };

  const upsert = database.prepare(
    `insert into artefacts (kind, id, payload, grant_id, uid, user_code, expires_at) values (?, ?, ?, ?, ?, ?, ?)
     on conflict (kind, id) do update set payload = excluded.payload, grant_id = excluded.grant_id,
       uid = excluded.uid, user_code = excluded.user_code, expires_at = excluded.expires_at`,
  );
  const find = database.prepare('select payload from artefacts where kind = ? and id = ?');
  const findByUid = database.prepare('select payload from artefacts where kind = ? and uid = ?');
  const findByUserCode = database.prepare('select payload from artefacts where kind = ? and user_code = ?');
  const consume = database.prepare(
    `update artefacts set payload = json_set(payload, '$.consumed', ?) where kind = ? and id = ?`,
  );
  const destroy = database.prepare('delete from artefacts where kind = ? and id = ?');
  const revoke = database.prepare('delete from artefacts where kind = ? and grant_id = ?');
  const sweep = database.prepare('delete from artefacts where expires_at < ?');
  let sweptAt = 0;

  const sweepNowAndThen = () => {
    if (seconds() - sweptAt < SWEEP_EVERY_SECONDS) return;
    sweptAt = seconds();
    sweep.run(sweptAt);
  };

  return (kind: string): Adapter => ({
    async upsert(id, payload, expiresIn) {
      sweepNowAndThen();
      const expiresAt = expiresIn === undefined ? null : seconds() + expiresIn;
      const { grantId = null, uid = null, userCode = null } = payload;
      upsert.run(kind, id, JSON.stringify(payload), grantId, uid, userCode, expiresAt);
    },
    async find(id) {
      return unlessJustUsed(kind, payloadOf(find.get(kind, id)));
    },
    async findByUid(uid) {
      return payloadOf(findByUid.get(kind, uid));
    },
    async findByUserCode(userCode) {
      return payloadOf(findByUserCode.get(kind, userCode));
    },
    async consume(id) {
      consume.run(seconds(), kind, id);
    },
    async destroy(id) {
      destroy.run(kind, id);
    },
    async revokeByGrantId(grantId) {
      revoke.run(kind, grantId);
    },
  });
};
