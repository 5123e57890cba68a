import { expect } from 'chai';
import { isHost, isServer, shownUrl } from '../../src/failures/server-url.ts';

describe('an address as people may see it', () => {
  it('names the servers', () => {
    expect(shownUrl('nats://nats:4222')).to.equal('nats://nats:4222');
    expect(shownUrl('esdb+discover://a:2113,b:2113')).to.equal('esdb+discover://a:2113,b:2113');
  });

  it('shows neither user, password nor options', () => {
    expect(shownUrl('esdb://admin:changeit@a:2113,b:2113?tls=false')).to.equal('esdb://a:2113,b:2113');
    expect(shownUrl('postgres://budapp@db/budapp')).to.equal('postgres://db/budapp');
  });

  it('shows nothing where a part of the password could be taken for a server', () => {
    expect(shownUrl('nats://budapp:se@cret@nats:4222')).to.equal('nats://nats:4222');
    for (const password of [
      'se/cret',
      '1234/cret',
      'se?cret',
      'a/b@c?d',
      'se#cret',
      'se\ncret',
      'se cret',
      'se\\cret',
      '%',
    ])
      expect(shownUrl(`nats://budapp:${password}@nats:4222`), password).to.equal('an address that cannot be read');
    for (const text of ['nats://budapp:secret', 'secret', 'nats:budapp:secret@nats', 'nats://host/a?b#c', ''])
      expect(shownUrl(text), text).to.equal('an address that cannot be read');
  });

  it('knows hosts and servers', () => {
    for (const host of ['localhost', 'a.b-c_d', '10.0.0.1', '[::1]']) {
      expect(isHost(host), host).to.equal(true);
      expect(isServer(`${host}:2113`), host).to.equal(true);
    }
    expect([isHost('::'), isHost('a:1'), isHost('')]).to.deep.equal([true, false, false]);
    for (const text of ['a@b', 'a/b', 'a b', 'a:b', 'a:1:2', '-a', 'a%b']) expect(isServer(text), text).to.equal(false);
  });
});
