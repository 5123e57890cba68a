import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Rejected } from '../../../src/errors.ts';
import {
  createLocalIdentityProvider,
  type LocalIdentityProvider,
} from '../../../src/local/identity/local-identity-provider.ts';
import { passwordFaults } from '../../../src/local/identity/password-rules.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { CHEAP_PASSWORD } from '../../cheap-password.ts';
import { failureOf } from '../../failure-of.ts';

const email = 'admin@budapp.local';

describe('local identity provider', () => {
  let data_dir: string;
  let lines: string[];
  const open: LocalIdentityProvider[] = [];

  const start = async (options: { password?: string; port?: number } = {}): Promise<LocalIdentityProvider> => {
    const log = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } });
    const { password, ...rest } = options;
    const provider = await createLocalIdentityProvider({
      data_dir,
      admin: { email, password },
      password_cost: CHEAP_PASSWORD,
      log,
      ...rest,
    });
    open.push(provider);
    return provider;
  };

  const passwordLogin = (provider: LocalIdentityProvider, password: string, username = email): Promise<Response> =>
    fetch(`${provider.issuer_url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${provider.client_id}:${provider.client_secret}`)}` },
      body: new URLSearchParams({ grant_type: 'password', username, password }),
    });

  beforeEach(async () => {
    data_dir = await mkdtemp(join(tmpdir(), 'budapp-provider-'));
    lines = [];
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((provider) => provider.close()));
    await rm(data_dir, { recursive: true, force: true });
  });

  it('generates a good password for the admin at the first start, and shows it only then', async () => {
    const first = await start();
    const password = first.generated_password ?? '';
    expect(first.first_start).to.equal(true);
    expect(passwordFaults(password)).to.deep.equal([]);
    expect((await passwordLogin(first, password)).status).to.equal(200);
    await first.close();

    const second = await start();
    expect(second).to.include({
      first_start: false,
      generated_password: null,
      issuer_url: first.issuer_url,
      client_secret: first.client_secret,
    });
    expect((await passwordLogin(second, password)).status).to.equal(200);
    expect(lines.join()).not.to.contain(password);
  });

  it('takes the password that is configured, and a new one at a later start', async () => {
    const first = await start({ password: 'First-Password-1' });
    expect(first.generated_password).to.equal(null);
    expect((await passwordLogin(first, 'First-Password-1')).status).to.equal(200);
    await first.close();

    const second = await start({ password: 'Second-Password-2' });
    expect((await passwordLogin(second, 'Second-Password-2')).status).to.equal(200);
    expect((await passwordLogin(second, 'First-Password-1')).status).to.equal(400);
  });

  it('does not start with a weak password for the admin', async () => {
    expect(String(await failureOf(start({ password: 'weak-1' }))))
      .to.contain('ADMIN_PASSWORD must have 8 to 100 characters, must contain an upper-case letter')
      .and.not.to.contain('weak-1');
  });

  it('lets nobody else on this machine read its keys and users', async () => {
    await start();
    const directory = join(data_dir, 'identity');
    const readable = async (file: string) => ((await stat(file)).mode & 0o077) !== 0;
    expect(await readable(directory)).to.equal(false);
    for (const name of ['provider.json', 'identity.db'])
      expect(await readable(join(directory, name)), name).to.equal(false);
    expect(await readdir(directory)).not.to.include.members(['provider.json.tmp']);
  });

  it('moves to another port where its own was taken meanwhile, and says what that means', async () => {
    const first = await start();
    await first.close();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(Number(new URL(first.issuer_url).port), '127.0.0.1', resolve));
    const second = await start();
    expect(second.issuer_url).not.to.equal(first.issuer_url);
    expect(lines.join()).to.contain('moves to another port');
    await new Promise((resolve) => squatter.close(resolve));
  });

  it('fails where the port that was asked for is taken, and leaves nothing open', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const address = squatter.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await failureOf(start({ port }))).to.have.property('code', 'EADDRINUSE');
    await new Promise((resolve) => squatter.close(resolve));
  });

  it('can be closed twice', async () => {
    const provider = await start();
    await provider.close();
    await provider.close();
  });

  describe('users', () => {
    const user = { email: 'Ada@Example.com', password: 'Correct-Horse-1', name: 'Ada', role: 'developer' as const };

    it('registers a user who can then log in, in any spelling of the e-mail', async () => {
      const provider = await start();
      expect(await provider.createUser(user)).to.include({ email: 'ada@example.com', name: 'Ada', role: 'developer' });
      expect((await passwordLogin(provider, user.password, 'ADA@example.com')).status).to.equal(200);
    });

    it('gives an e-mail address to exactly one of many who ask at once', async () => {
      const provider = await start();
      const failures = await Promise.all(Array.from({ length: 6 }, () => failureOf(provider.createUser(user))));
      expect(failures.filter((failure) => failure === undefined)).to.have.length(1);
      for (const failure of failures.filter((each) => each !== undefined)) {
        expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'conflict', code: 'email-taken' });
      }
    });

    it('refuses a weak password, and says each thing that is wrong with it', async () => {
      const provider = await start();
      const failure = await failureOf(provider.createUser({ ...user, password: 'password' }));
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'invalid', code: 'weak-password' });
      expect(failure).to.have.property('errors').with.length(3);
    });

    for (const bad of ['', 'nobody', 'a b@example.com', '@example.com']) {
      it(`refuses the e-mail address ${JSON.stringify(bad)}`, async () => {
        const provider = await start();
        expect(await failureOf(provider.createUser({ ...user, email: bad }))).to.include({
          kind: 'invalid',
          code: 'invalid-email',
        });
      });
    }
  });
});

describe('password rules', () => {
  const CASES: [string, string[]][] = [
    ['Aa1-aaaa', []],
    ['Aa1-aaa', ['must have 8 to 100 characters']],
    [`Aa1-${'a'.repeat(96)}`, []],
    [`Aa1-${'a'.repeat(97)}`, ['must have 8 to 100 characters']],
    ['Aaa-aaaa', ['must contain a digit']],
    ['aa1-aaaa', ['must contain an upper-case letter']],
    ['AA1-AAAA', ['must contain a lower-case letter']],
    ['Aa1aaaaa', ['must contain a special character']],
    ['Äö1€xxxx', []],
  ];
  for (const [password, faults] of CASES) {
    it(`finds in ${password.slice(0, 12)} (${password.length}): ${faults.join() || 'nothing wrong'}`, () => {
      expect(passwordFaults(password)).to.deep.equal(faults);
    });
  }
});
