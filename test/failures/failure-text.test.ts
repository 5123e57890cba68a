import { once } from 'node:events';
import { connect, createServer, type LookupFunction } from 'node:net';
import { expect } from 'chai';
import { explain, failureText } from '../../src/failures/failure-text.ts';
import { failureOf } from '../failure-of.ts';

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
};

describe('failure text', () => {
  it('is the message of an error, and what was thrown where it is no error', () => {
    expect(failureText(new TypeError('no such thing'))).to.equal('no such thing');
    expect(failureText('no such thing')).to.equal('no such thing');
    expect(failureText({ message: 'no such thing' })).to.equal('no such thing');
    expect(failureText(undefined)).to.equal('undefined');
    expect(failureText(Symbol('odd'))).to.equal('Symbol(odd)');
  });

  it('is never empty', () => {
    expect(failureText(new Error(''))).to.equal('Error');
    expect(failureText(Object.assign(new Error('  '), { code: 'ECONNRESET' }))).to.equal('ECONNRESET');
    expect(failureText('')).to.equal('no reason given');
    expect(failureText('\u0000\u001b[0m')).to.equal('no reason given');
    expect(failureText(Object.create(null))).to.equal('[object Object]');
  });

  it('says which addresses of a host did not answer', async () => {
    const port = await freePort();
    // As for a host with two addresses.
    const lookup: LookupFunction = (_host, _options, found) =>
      found(
        null,
        ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
      );
    const socket = connect({ host: 'two.example', port, autoSelectFamily: true, lookup });
    const error = await failureOf(once(socket, 'connect'));
    expect(error).to.be.instanceOf(AggregateError).with.property('message', '');
    expect(failureText(error)).to.equal(
      `connect ECONNREFUSED 127.0.0.1:${port}; connect ECONNREFUSED 127.0.0.2:${port}`,
    );
  });

  it('says what is common to several errors once', () => {
    const same = () => new Error('away');
    expect(failureText(new AggregateError([same(), same(), 'gone']))).to.equal('away; gone');
    expect(failureText(new AggregateError([same()], 'none of them'))).to.equal('none of them');
    expect(failureText(new AggregateError([]))).to.equal('AggregateError');
  });

  it('ends where aggregated errors go round in a circle', () => {
    const errors: unknown[] = [];
    const circle = new AggregateError(errors);
    errors.push(circle);
    expect(failureText(circle)).to.equal('AggregateError');
  });

  it('is one line without control characters', () => {
    const hostile = 'bad\r\n2026-01-01 admin logged in\u0000\u001b[31m red\u001b[0m \u202etxt.exe\u2028end\t\u0085!';
    expect(failureText(hostile)).to.equal('bad 2026-01-01 admin logged in red txt.exe end !');
  });

  it('keeps letters of every script', () => {
    expect(failureText('Gerät ‘α’ 离线 👩‍🔧')).to.equal('Gerät ‘α’ 离线 👩‍🔧');
  });

  it('has at most 1000 characters, and cuts no pair in two', () => {
    expect(failureText('x'.repeat(1000))).to.have.lengthOf(1000);
    expect(failureText('x'.repeat(1001))).to.equal(`${'x'.repeat(999)}…`);
    expect(failureText(`${'x'.repeat(998)}👍👍`)).to.equal(`${'x'.repeat(998)}…`);
    expect(failureText('half \ud83d')).to.equal('half \ufffd');
  });

  it('is made quickly of whatever another system says', () => {
    // Processor time: the machine may be busy with others.
    const start = process.cpuUsage();
    for (const part of [' ', '\u001b[', '\u001b]', '\u0000', '[0;'])
      expect(failureText(part.repeat(2_000_000)).length).to.be.at.most(1000);
    expect(process.cpuUsage(start).user / 1000).to.be.lessThan(2000);
  });
});

describe('explanation of a failure', () => {
  it('goes down to the last cause, a line each', () => {
    const error = new Error('no start', {
      cause: new Error('no\nlog', { cause: new AggregateError([new Error('away')]) }),
    });
    expect(explain(error)).to.equal('no start\n  because: no log\n  because: away');
    expect(explain('no start')).to.equal('no start');
  });

  it('ends where causes go round in a circle', () => {
    const error = new Error('round');
    error.cause = error;
    expect(explain(error).split('\n')).to.have.lengthOf(5);
  });
});
