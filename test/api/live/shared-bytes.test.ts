import { expect } from 'chai';
import { createAudience, createFlushing, type Member } from '../../../src/api/live/audience.ts';
import { frameOfEvent } from '../../../src/api/live/frame.ts';
import { Position } from '../../../src/events/event.ts';
import { ProjectId } from '../../../src/events/ids.ts';
import { fact } from '../../commands/fixture.ts';
import { eventually } from '../../eventually.ts';
import { anEvent, fresh } from '../../projections/facts.ts';

const frame = (n: number) => {
  const project_id = fresh(ProjectId);
  const position = Position.parse(String(n).padStart(16, '0'));
  const event = {
    ...anEvent(fact('ProjectDescribed', { project_id })),
    position,
    revision: n,
    at: '',
    stream: `project-${project_id}`,
  };
  return frameOfEvent(event, { area: 'project', id: project_id, project_id });
};

/** Encodes as a transport does, and counts. */
const countingEncoding = () => {
  const encoding = {
    count: 0,
    encode: (text: string) => {
      encoding.count += 1;
      return Buffer.from(text);
    },
  };
  return encoding;
};

describe('the bytes of a frame', () => {
  it('are made once, and are the same for all callers and clients who get the same', async () => {
    const encoding = countingEncoding();
    const flushing = createFlushing();
    const got: Buffer[][] = [];
    const member = (): Member => {
      const mine: Buffer[] = [];
      got.push(mine);
      return {
        arrived: () => true,
        take: (batch) => mine.push(batch.bytes(encoding)),
        failed: () => undefined,
      };
    };
    const audiences = Array.from({ length: 3 }, () =>
      createAudience({ filter: {}, flushing, onEmpty: () => undefined }),
    );
    for (const audience of audiences) for (let n = 0; n < 4; n += 1) audience.join(member());
    for (const sent of [frame(1), frame(2), frame(3)]) {
      for (const audience of audiences) audience.pass(sent, { always: false });
    }
    await eventually('all are flushed', () => got.every((mine) => mine.length > 0));
    expect(encoding.count).to.equal(3);
    expect(new Set(got.flat()).size, 'buffers').to.equal(1);
    flushing.close();
  });
});
