import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { createVault } from '../../../src/adapters/postgres/vault.ts';
import { unseal } from '../../../src/api/resource.ts';
import { Rejected } from '../../../src/errors.ts';
import { isSealed, Sealed, subjectOf } from '../../../src/events/sealed.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

describe('vault', () => {
  const master_key = randomBytes(32);
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  let pool: Pool;

  before(async () => {
    database = await testDatabase();
    connections = openPool(database.connection_string, 8);
    pool = connections.pool;
  });
  after(async () => {
    await connections?.close();
    await database?.close();
  });

  const vault = (options: { now?: () => number; master_key?: Buffer } = {}) =>
    createVault({ pool, master_key, ...options });

  it('opens what it sealed, in another process too', async () => {
    const seal = await vault().sealer('user-1');
    for (const text of ['Ada Lovelace', '', 'Grüße 你好 🎉', 'x'.repeat(100_000)]) {
      const sealed = seal(text);
      expect(isSealed(sealed)).to.equal(true);
      expect(subjectOf(sealed)).to.equal('user-1');
      expect(await vault().open(sealed)).to.equal(text);
    }
  });

  it('makes a large text smaller first, so that a kubeconfig of a million characters fits into an append', async () => {
    const seal = await vault().sealer('cluster-1');
    const text = randomBytes(750_000).toString('base64');
    const sealed = seal(text);
    expect(sealed.length).to.be.below(1024 * 1024 - 16 * 1024);
    expect([isSealed(sealed), subjectOf(sealed)]).to.deep.equal([true, 'cluster-1']);
    expect((await vault().open(sealed)) === text).to.equal(true);
    expect([isSealed('sealed:2:is what somebody has written')]).to.deep.equal([false]);
  });

  it('never seals the same text to the same letters', async () => {
    const seal = await vault().sealer('user-1');
    expect(seal('secret')).not.to.equal(seal('secret'));
    expect(seal('secret')).not.to.contain('secret');
  });

  it('makes one key when many ask for a new subject at once', async () => {
    const sealers = await Promise.all(Array.from({ length: 20 }, () => vault().sealer('user-racing')));
    const opened = await Promise.all(sealers.map((seal, index) => vault().open(seal(`text ${index}`))));
    expect(opened).to.deep.equal(sealers.map((_, index) => `text ${index}`));
  });

  it('throws where a single byte was changed', async () => {
    const sealed = (await vault().sealer('user-2'))('account 4711');
    const parts = sealed.split(':');
    for (const index of [3, 4, 5]) {
      const bytes = Buffer.from(parts[index] ?? '', 'base64url');
      bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
      const changed = Sealed.parse(parts.with(index, bytes.toString('base64url')).join(':'));
      expect(await failureOf(vault().open(changed)))
        .to.be.instanceOf(Error)
        .with.property('message', 'a sealed text of user-2 was changed after it was sealed');
    }
  });

  it('shows as sealed what cannot be opened, instead of failing the whole answer', async () => {
    const mine = vault();
    const sealed = (await mine.sealer('somebody'))('Somebody');
    expect(await unseal(sealed, { vault: mine })).to.equal('Somebody');
    expect(await unseal(Sealed.parse('sealed:1:nobody:a:b:c'), { vault: mine })).to.equal('(sealed)');
    const forged = 'sealed:1:nobody';
    expect(isSealed(forged) && (await unseal(forged, { vault: mine }))).to.equal('(sealed)');
  });

  it('throws where the authentication tag was cut short', async () => {
    const parts = (await vault().sealer('user-2'))('account 4711').split(':');
    const short = Buffer.from(parts[4] ?? '', 'base64url')
      .subarray(0, 4)
      .toString('base64url');
    expect(await failureOf(vault().open(Sealed.parse(parts.with(4, short).join(':'))))).to.be.instanceOf(Error);
  });

  it('does not open a text under another subject', async () => {
    await vault().sealer('user-4');
    const sealed = (await vault().sealer('user-3'))('mine');
    const moved = Sealed.parse(sealed.replace('user-3', 'user-4'));
    expect(await failureOf(vault().open(moved))).to.be.instanceOf(Error);
  });

  it('refuses a key that was moved to another subject in the database', async () => {
    await vault().sealer('user-5');
    await pool.query(
      `insert into subject_keys (subject, wrapped_key) select 'user-6', wrapped_key from subject_keys where subject = 'user-5'`,
    );
    expect(String(await failureOf(vault().sealer('user-6')))).to.contain('cannot be unwrapped');
  });

  it('can never read again what was erased, nor seal under that subject', async () => {
    const mine = vault();
    const sealed = (await mine.sealer('user-7'))('forget me');
    await mine.erase('user-7');
    expect(await mine.open(sealed)).to.equal(null);
    expect(await vault().open(sealed)).to.equal(null);
    for (const each of [mine, vault()]) {
      const failure = await failureOf(each.sealer('user-7'));
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'conflict', code: 'subject-erased' });
    }
    const { rows } = await pool.query('select wrapped_key from subject_keys where subject = $1', ['user-7']);
    expect(rows).to.deep.equal([{ wrapped_key: null }]);
  });

  it('erases a subject that never had a key, and twice, without complaint', async () => {
    await vault().erase('user-8');
    await vault().erase('user-8');
    expect(await failureOf(vault().sealer('user-8'))).to.be.instanceOf(Rejected);
  });

  it('notices within five seconds that another process erased a subject', async () => {
    let time = Date.now();
    const other = vault({ now: () => time });
    const sealed = (await other.sealer('user-9'))('forget me');
    await vault().erase('user-9');
    expect(await other.open(sealed)).to.equal('forget me');
    time += 5001;
    expect(await other.open(sealed)).to.equal(null);
  });

  it('names MASTER_KEY when it is another one, already at the start', async () => {
    await vault().checkMasterKey();
    await vault().checkMasterKey();
    const failure = await failureOf(vault({ master_key: randomBytes(32) }).checkMasterKey());
    expect(String(failure)).to.contain('MASTER_KEY is not the one');
    expect(() => vault({ master_key: randomBytes(16) })).to.throw('MASTER_KEY must be 32 bytes');
  });

  it('refuses a subject that would break the format', async () => {
    for (const subject of ['', 'a:b']) expect(await failureOf(vault().sealer(subject))).to.be.instanceOf(Error);
  });
});
