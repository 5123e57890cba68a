import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

const runDemo = (...flags: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, [CLI, 'demo', ...flags], { timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` });
    });
  });

describe('npm run demo', function () {
  this.timeout(300_000);

  it('runs the whole job, prints plain lines without a terminal, and exits with 0', async () => {
    const { code, output } = await runDemo();
    expect(code, output).to.equal(0);
    for (const part of [
      /133664 parameters/,
      /placed on cluster local: .*cores/,
      /10\/10/,
      /answer: upright [\d.]+ %/,
      /endpoint degraded/,
      /running again by itself: 2\/2/,
      /processes \d+, \d+ have ended/,
      /EndpointRequested <- DeployModel by user/,
      /equal to what the read model returned/,
      /completed the demo in [\d.]+ s/,
    ]) {
      expect(output).to.match(part);
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's control sequences are what is looked for.
    expect(output).not.to.match(/\u001b\[\d*[A-K]/);
  });

  it('ends with another code and a reason where it cannot do it', async () => {
    const { code, output } = await runDemo('--url', 'http://127.0.0.1:9', '--password', 'Wrong-Horse-7');
    expect(code).not.to.equal(0);
    expect(output).to.include('demo failed: http://127.0.0.1:9 cannot be reached').and.not.include('    at ');
  });
});
