import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOidcDouble } from '../oidc-double.ts';
import { type BudApp, startBudApp } from './budapp.ts';
import { tenantIsolation } from './tenant-isolation.ts';

const amber = { email: 'amber@example.test', password: 'Correct-Horse-1' };
const basil = { email: 'basil@example.test', password: 'Correct-Horse-2' };

describe('two tenants of one realm, told apart by a claim', function () {
  this.timeout(300_000);
  let dataDir: string;
  let provider: Awaited<ReturnType<typeof startOidcDouble>>;
  let budapp: BudApp;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-tenants-'));
    provider = await startOidcDouble([
      { ...amber, role: 'admin', tenant_id: '01930000-0000-7000-8000-0000000000aa' },
      { ...basil, role: 'admin', tenant_id: '01930000-0000-7000-8000-0000000000bb' },
    ]);
    budapp = await startBudApp(dataDir, provider.settings);
  });
  after(async () => {
    await budapp?.stop();
    await provider?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  tenantIsolation(() => ({ url: budapp.url, amber, basil }));
});
