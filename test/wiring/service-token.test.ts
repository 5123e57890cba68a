import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { generatedServiceToken } from '../../src/local/generated-secret.ts';

describe('the service token that is generated', () => {
  it('is the text in service.token, at this start and the next', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'budapp-token-'));
    try {
      const token = await generatedServiceToken(folder);
      const file = join(folder, 'service.token');
      expect(`${token}\n`).to.equal(await readFile(file, 'utf8'));
      expect(await generatedServiceToken(folder)).to.equal(token);
      await writeFile(file, 'short\n');
      const refused = await generatedServiceToken(folder).catch((error: Error) => error.message);
      expect(refused).to.contain(file);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
