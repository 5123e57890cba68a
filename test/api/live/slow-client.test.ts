import { once } from 'node:events';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { WebSocket } from 'ws';
import { streamOf } from '../../../src/events/catalog.ts';
import { WorkflowId } from '../../../src/events/ids.ts';
import { fact } from '../../commands/fixture.ts';
import { eventually } from '../../eventually.ts';
import { anEvent } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';
import { type RunningApi, startApi } from '../running-api.ts';

const LARGE = 'x'.repeat(400_000);
/** More than what the kernel keeps for a connection and BudApp besides. */
const EVENTS = 40;

interface Message {
  type: string;
  position?: string;
  data: { position?: string; reason?: { code: string } };
}

describe('a client of the live stream that does not read', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
    await api.admin.get('/auth/me');
  });
  after(() => api.close());

  const follow = async (from: string) => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?area=workflow&from=${from}`, {
      headers: { authorization: `Bearer ${api.admin.token}` },
    });
    const messages: Message[] = [];
    socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await once(socket, 'open');
    return { socket, messages, closed };
  };

  const appendLarge = async (workflow_id: WorkflowId): Promise<string> => {
    const event = anEvent(fact('WorkflowMessageIgnored', { workflow_id, result: LARGE }), { tenant_id: TENANT });
    const { position } = await api.services.log.append(streamOf('workflow', workflow_id), [event], { expected: 'any' });
    return position;
  };

  it('gets reset with its position once it reads, and goes on from there without a gap', async () => {
    const workflow_id = WorkflowId.parse(v7());
    const positions = [await appendLarge(workflow_id)];
    const slow = await follow('start');
    await eventually('it is live', () => slow.messages.length > 0);
    slow.socket.pause();
    const other = await follow(positions[0] ?? '');
    while (positions.length < EVENTS) positions.push(await appendLarge(workflow_id));
    await eventually('another client has all', () => other.messages.length === EVENTS - 1);
    other.socket.close();
    slow.socket.resume();
    const [code, reason] = await slow.closed;
    expect([code, String(reason)]).to.deep.equal([1013, 'too-slow']);
    const reset = slow.messages.at(-1);
    expect(reset).to.deep.include({ type: 'bud.stream.reset' });
    expect(reset?.data.reason?.code).to.equal('too-slow');
    expect(reset?.data.position).to.equal(slow.messages.at(-2)?.position);
    expect(slow.messages.length).to.be.lessThan(EVENTS);

    const resumed = await follow(reset?.data.position ?? '');
    await eventually('the rest comes', () => resumed.messages.at(-1)?.position === positions.at(-1));
    resumed.socket.close();
    const seen = [...slow.messages.slice(0, -1), ...resumed.messages].map(({ position }) => position);
    expect(seen).to.deep.equal(positions);
  });
});
