import { expect } from 'chai';
import { v7 } from 'uuid';
import { createProofs } from '../../../src/adapters/postgres/proofs.ts';
import type { ProofSubject } from '../../../src/ports/proofs.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

describe('proofs', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;

  before(async () => {
    database = await testDatabase();
    connections = openPool(database.connection_string, 4);
  });
  after(async () => {
    await connections?.close();
    await database?.close();
  });

  const proofs = () => createProofs(connections);
  const aSubject = (area: ProofSubject['area'] = 'endpoint'): ProofSubject => ({ area, id: v7() });
  const proofOf = async ({ id }: ProofSubject) => (await proofs().list()).find((proof) => proof.id === id);

  it('knows when the last one was, in every process', async () => {
    const subject = aSubject();
    expect(await proofs().find(subject)).to.equal(null);
    await proofs().record([subject]);
    const at = await proofs().find(subject);
    const proof = await proofOf(subject);
    expect(proof).to.include({ ...subject, at, count: '1' });
    expect(proof?.age_ms).to.be.within(0, 60_000);
  });

  it('counts them, and takes the same one in one round for one', async () => {
    const [cluster, endpoint] = [aSubject('cluster'), aSubject()];
    await proofs().record([cluster, endpoint, cluster]);
    await proofs().record([endpoint]);
    expect([(await proofOf(cluster))?.count, (await proofOf(endpoint))?.count]).to.deep.equal(['1', '2']);
  });

  it('tells a cluster from an endpoint of the same id', async () => {
    const subject = aSubject('cluster');
    await proofs().record([subject]);
    expect(await proofs().find({ ...subject, area: 'endpoint' })).to.equal(null);
  });

  it('takes the proofs of many processes at once', async () => {
    const subjects = Array.from({ length: 50 }, () => aSubject());
    await Promise.all([...Array(8).keys()].map((n) => proofs().record(n % 2 ? subjects : subjects.toReversed())));
    const counts = (await proofs().list()).filter(({ id }) => subjects.some((subject) => subject.id === id));
    expect(new Set(counts.map(({ count }) => count))).to.deep.equal(new Set(['8']));
  });

  it('forgets what it is told to, and nothing else', async () => {
    const [gone, kept] = [aSubject(), aSubject()];
    await proofs().record([gone, kept]);
    await proofs().forget([gone]);
    await proofs().forget([]);
    await proofs().record([]);
    expect([await proofs().find(gone), typeof (await proofs().find(kept))]).to.deep.equal([null, 'string']);
  });
});
