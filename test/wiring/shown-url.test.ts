import { expect } from 'chai';
import { shownUrl } from '../../src/wiring/shown-url.ts';

describe('an address as people may see it', () => {
  it('names the servers', () => {
    expect(shownUrl('nats://nats:4222')).to.equal('nats://nats:4222');
    expect(shownUrl('esdb+discover://a:2113,b:2113')).to.equal('esdb+discover://a:2113,b:2113');
  });

  it('shows neither user, password nor options', () => {
    expect(shownUrl('esdb://admin:changeit@a:2113,b:2113?tls=false')).to.equal('esdb://a:2113,b:2113');
    expect(shownUrl('postgres://budapp@db/budapp')).to.equal('postgres://db/budapp');
  });

  it('shows nothing of a password with characters that belong to addresses', () => {
    for (const password of ['se/cret', 'se@cret', 'se?cret', 'a/b@c?d', 'se#cret', 'se\ncret']) {
      expect(shownUrl(`nats://budapp:${password}@nats:4222`), password).to.equal('nats://nats:4222');
    }
  });
});
