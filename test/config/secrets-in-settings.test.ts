import { Writable } from 'node:stream';
import { expect } from 'chai';
import { pino } from 'pino';
import { parseAddress } from '../../src/adapters/eventstore/address.ts';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import { natsServersOf } from '../../src/adapters/nats/servers.ts';
import { createNatsStatusBus } from '../../src/adapters/nats/status-bus.ts';
import { loadConfig, loadLocalServiceConfig, SETTINGS } from '../../src/config/config.ts';
import { explain } from '../../src/failures/failure-text.ts';
import { shownUrl } from '../../src/failures/server-url.ts';
import { startWrongly } from '../systems/harness/failing-start.ts';

/** The settings that name a server; a new one is tested by its name. */
const ADDRESSES = SETTINGS.filter((name) => /(?:_URL|_ENDPOINT|_HOST)$|^HOST$/.test(name));

const SCHEMES: Readonly<Record<string, string>> = { EVENTSTORE_URL: 'esdb', NATS_URL: 'nats' };

/** Letters that are in no other text. */
const PIECES = ['Xq7vKw', 'Jz9yPg'] as const;
const SEPARATORS = ['@', '/', ':', '#', '?', '%', ' ', '\\', ',', '@/', '/@', ':1/', '%zz', '?a=', '\n', ''];
const SECRETS = SEPARATORS.map((between) => PIECES.join(between));

/** Nobody listens there. */
const SERVER = '127.0.0.1:1';

const spellings = (name: string, secret: string): string[] => {
  const scheme = SCHEMES[name] ?? 'http';
  return [
    `${scheme}://budapp:${secret}@${SERVER}`,
    `${scheme}://budapp:${encodeURIComponent(secret)}@${SERVER}`,
    `${scheme}://${secret}@${SERVER}`,
    `${scheme}:budapp:${secret}@${SERVER}`,
    `budapp:${secret}@${SERVER}`,
    // What stands behind an `@` is the server, however it is read.
    ...(secret.includes('@') ? [] : [`${scheme}://budapp:${secret}`]),
    `${scheme}://${SERVER}?password=${secret}`,
    `${scheme}://${SERVER}#${secret}`,
  ];
};

/** Any four characters of the secret in the text. */
const shownOf = (text: string): string[] =>
  PIECES.flatMap((piece) =>
    Array.from({ length: piece.length - 3 }, (_, from) => piece.slice(from, from + 4)).filter((part) =>
      text.toLowerCase().includes(part.toLowerCase()),
    ),
  );

/** All that is written on standard output and standard error meanwhile. */
const written = async (work: () => Promise<unknown>): Promise<string> => {
  const { stdout, stderr } = process;
  const writes = [stdout.write, stderr.write];
  const lines: string[] = [];
  const take = (chunk: Uint8Array | string): boolean => {
    lines.push(String(chunk));
    return true;
  };
  stdout.write = take;
  stderr.write = take;
  try {
    await work();
  } finally {
    [stdout.write, stderr.write] = [writes[0] ?? stdout.write, writes[1] ?? stderr.write];
  }
  return lines.join('\n');
};

const collecting = () => {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { lines, logger: pino({ level: 'trace' }, destination) };
};

const textOf = (error: unknown): string => `${explain(error)}\n${error instanceof Error ? error.stack : ''}`;

/** What a start with this address says and logs, as far as it comes. */
const open = async (name: string, url: string): Promise<string> => {
  const { lines, logger } = collecting();
  const options = { url, logger, openTimeout: 1 };
  const opening = name === 'NATS_URL' ? createNatsStatusBus({ url, log: logger }) : createEventStoreLog(options);
  const said = await opening.then(
    (opened) => opened.close(),
    (error: unknown) => textOf(error),
  );
  return [said, ...lines].join('\n');
};

/** Whether the adapter takes the address for one: then it is opened. */
const isRead = (name: string, url: string): boolean => {
  try {
    if (name === 'NATS_URL') natsServersOf(url);
    else parseAddress(url);
    return true;
  } catch {
    return false;
  }
};

describe('a secret in a setting that names a server', () => {
  it('is looked for in all of them', () => {
    expect(ADDRESSES).to.include.members(['EVENTSTORE_URL', 'NATS_URL', 'POSTGRES_HOST', 'MINIO_ENDPOINT', 'HOST']);
    expect(ADDRESSES).to.include.members(['KEYCLOAK_URL', 'PUBLIC_URL', 'BUDCLUSTER_SERVICE_URL']);
  });

  for (const name of ADDRESSES) {
    it(`is not shown by ${name} where that is refused, nor taken for a part of an address`, () => {
      for (const secret of SECRETS) {
        for (const url of spellings(name, secret)) {
          for (const load of [
            loadConfig,
            (env: object) => loadLocalServiceConfig({ messages: false, cluster: false }, { ...env }),
          ]) {
            try {
              load({ [name]: url });
              // It is shown to everybody in `/health/ready`.
              if (!(name in SCHEMES) && load === loadConfig) expect(shownOf(url), url).to.deep.equal([]);
            } catch (error) {
              if (!(error instanceof Error) || error.name !== 'ConfigError') throw error;
              expect(shownOf(textOf(error)), url).to.deep.equal([]);
            }
          }
        }
      }
    });
  }

  it('is not in what a failing start writes', async () => {
    const secret = SECRETS[1] ?? '';
    const settings = ADDRESSES.map((name) => [name, `${SCHEMES[name] ?? 'http'}:budapp:${secret}@${SERVER}`]);
    const { code, output } = await startWrongly(Object.fromEntries(settings), '/nowhere');
    expect(code).to.equal(1);
    for (const name of ADDRESSES) expect(output).to.contain(name);
    expect(shownOf(output)).to.deep.equal([]);
  });

  for (const name of Object.keys(SCHEMES)) {
    it(`is shown neither in health nor by a start that fails for ${name}`, async () => {
      let opened = 0;
      for (const secret of SECRETS) {
        for (const url of spellings(name, secret)) {
          expect(shownOf(shownUrl(url)), url).to.deep.equal([]);
          // One of each kind is opened; the others end where the address is read.
          const isOpened = isRead(name, url);
          if (isOpened && opened > 6) continue;
          if (isOpened) opened += 1;
          if (isOpened && name === 'NATS_URL') expect(shownOf(natsServersOf(url).shown), url).to.deep.equal([]);
          let said = '';
          const printed = await written(async () => {
            said = await open(name, url);
          });
          expect(shownOf(`${said}\n${printed}`), url).to.deep.equal([]);
        }
      }
      expect(opened).to.be.greaterThan(2);
    });
  }
});
