import { expect } from 'chai';
import {
  CommandId,
  commandIdOf,
  deriveId,
  EventId,
  eventIdOf,
  newId,
  TenantId,
  userIdOf,
} from '../../src/events/ids.ts';

describe('ids', () => {
  const command = newId(CommandId);

  it('are the same for the same event of the same command, and for no other', () => {
    expect(eventIdOf(command, 's', 0)).to.equal(eventIdOf(command, 's', 0));
    const others = [eventIdOf(command, 's', 1), eventIdOf(command, 't', 0), eventIdOf(newId(CommandId), 's', 0)];
    expect(others).not.to.include(eventIdOf(command, 's', 0));
    expect(EventId.safeParse(eventIdOf(command, 's', 0)).success).to.equal(true);
  });

  it('derived from a command are UUIDv7 with its time', () => {
    const id = deriveId(command, 'workflow');
    expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(id.slice(0, 13)).to.equal(command.slice(0, 13));
    expect(deriveId(command, 'workflow')).to.equal(id);
    expect(deriveId(command, 'endpoint')).not.to.equal(id);
  });

  it('of a process command follow from its cause', () => {
    expect(commandIdOf('p:e:0')).to.equal(commandIdOf('p:e:0')).and.not.to.equal(commandIdOf('p:e:1'));
  });

  it('of a user follow from tenant and subject', () => {
    const tenant = newId(TenantId);
    expect(userIdOf(tenant, 'a'))
      .to.equal(userIdOf(tenant, 'a'))
      .and.not.to.equal(userIdOf(newId(TenantId), 'a'));
  });
});
