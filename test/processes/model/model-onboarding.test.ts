import { expect } from 'chai';
import { modelDeletion } from '../../../src/processes/model/model-deletion.ts';
import { toModelMetadata } from '../../../src/processes/model/model-metadata.ts';
import { createModelOnboarding } from '../../../src/processes/model/model-onboarding.ts';
import {
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given as givenProcess,
  goOnFrom,
  type Happened,
  happened,
  ids,
  ignored,
  refused,
  resulted,
  stepFailed,
  timerFired,
} from '../given.ts';

const manager = createModelOnboarding({ objectUri: (key) => `file:///objects/${key}` });
const given = (...history: readonly Happened[]) => givenProcess(manager, ...history);

const artefact = { object_key: 'models/ocr.onnx', file_name: 'ocr.onnx', size_bytes: 5, sha256: 'a'.repeat(64) };
const described = { model_id: ids.model_id, name: 'ocr', description: '', tags: [], deadline: DEADLINE_AT };
const uploaded = happened('LocalModelUploaded', { ...described, artefact });
const registered = happened('CloudModelRegistered', { ...described, source: 'huggingface', repo_id: 'org/ocr' });
const model_info = { author: 'somebody', architecture: { num_params: 12 } };
const extracted = resulted('perform_model_extraction', { model_info, local_path: '/tmp/x' });
const metadata = toModelMetadata(model_info);
const recorded = happened('ModelMetadataRecorded', { model_id: ids.model_id, metadata });

describe('the onboarding of models', () => {
  it('has the model service read an uploaded file', () => {
    const { names, callInput } = given(uploaded);
    expect(names).to.deep.equal(['StartWorkflow', 'timer deadline', 'call model.extract']);
    expect(callInput('model.extract')).to.include({
      model_name: 'ocr',
      model_uri: 'file:///objects/models/ocr.onnx',
      provider_type: 'disk',
    });
  });

  it('records what the file says, and ends when that is done', () => {
    const { names, commandData } = given(uploaded, extracted);
    expect(names).to.deep.equal(['RecordModelMetadata']);
    expect(commandData('RecordModelMetadata')).to.deep.equal({
      ...{ model_id: ids.model_id, metadata },
      local_path: '/tmp/x',
    });
    expect(given(uploaded, extracted, recorded).names).to.deep.equal(['CompleteWorkflow', 'end']);
  });

  it('ends when the model is deleted, in every phase', () => {
    const deletion = happened('ModelDeleted', {
      ...{ model_id: ids.model_id, name: 'ocr', artefact, ends: ids.workflow_id },
    });
    for (const history of [[uploaded], [uploaded, extracted], [registered]]) {
      expect(given(...history, deletion).names).to.include('MarkWorkflowCancelled');
    }
    expect(manager.workflowOf?.({ type: 'ModelDeleted', data: deletion.data } as never)).to.equal(ids.workflow_id);
  });

  it('takes results that come twice, or before the call is answered, once', () => {
    expect(given(uploaded, extracted, answered('model.extract', 'theirs')).names).to.equal(null);
    expect(given(uploaded, extracted, extracted).names).to.equal(null);
  });

  it('asks the provider about a cloud model', () => {
    expect(given(registered).names).to.deep.equal([
      'StartWorkflow',
      'timer deadline',
      'StartWorkflowStep',
      'call model.extract-cloud',
    ]);
    const { names } = given(registered, answered('model.extract-cloud', null, { model_info }));
    expect(names).to.deep.equal(['CompleteWorkflowStep', 'RecordModelMetadata']);
  });

  for (const [what, trouble] of Object.entries({
    'a step fails': stepFailed('validation'),
    'the call is refused': callFailed('model.extract', 422),
    'the result is empty': resulted('perform_model_extraction', null),
  })) {
    it(`fails and removes the file when ${what}`, () => {
      const { names, ended } = given(uploaded, trouble);
      expect(names).to.deep.equal([
        'abandon-calls',
        'FailModelOnboarding',
        'FailWorkflow',
        'remove models/ocr.onnx',
        'end',
      ]);
      expect(ended).to.equal(true);
    });
  }

  for (const [what, trouble] of Object.entries({
    'the time is over': timerFired('deadline'),
    'it is cancelled': cancelRequested,
  })) {
    it(`removes the copy that the service still makes when ${what}`, () => {
      expect(given(uploaded, trouble).ended).to.equal(false);
      const late = ignored('perform_model_extraction', 'results', { model_info, local_path: '/tmp/x' });
      const cleaned = given(uploaded, trouble, ignored('perform_model_extraction', 'save_model'), late);
      expect(cleaned.names).to.deep.equal(['call model.delete-files', 'end']);
      expect(cleaned.callInput('model.delete-files')).to.deep.equal({ path: '/tmp/x' });
    });
  }

  it('keeps the file for another attempt where a service did not answer, and no other file', () => {
    for (const outage of [timerFired('deadline'), callFailed('model.extract')]) {
      const { names, commandData } = given(uploaded, outage);
      expect(names).not.to.include('remove models/ocr.onnx');
      expect(commandData('FailModelOnboarding')).to.include({ artefact_kept: true });
    }
    const { names, commandData } = given(uploaded, cancelRequested);
    expect(names).to.include('remove models/ocr.onnx');
    expect(commandData('FailModelOnboarding')).not.to.have.property('artefact_kept');
    expect(given(registered, timerFired('deadline')).commandData('FailModelOnboarding')).not.to.have.property(
      'artefact_kept',
    );
  });

  it('goes on from a state that an earlier version stored', () => {
    const stored = { phase: 'extracting', workflow_id: ids.workflow_id, model_id: ids.model_id, object_key: null };
    expect(goOnFrom(manager, stored, extracted).names).to.deep.equal(['RecordModelMetadata']);
  });

  it('fails a cloud model whose provider answers nonsense, without removing any file', () => {
    const { names } = given(registered, answered('model.extract-cloud', null, 'nonsense'));
    expect(names).to.deep.equal(['abandon-calls', 'FailModelOnboarding', 'FailWorkflow', 'end']);
  });

  it('ends as cancelled on request, but not once the metadata are being recorded', () => {
    expect(given(uploaded, cancelRequested).names).to.include('MarkWorkflowCancelled');
    expect(given(uploaded, extracted, cancelRequested).names).to.equal(null);
    expect(given(uploaded, extracted, timerFired('deadline')).names).to.equal(null);
  });

  it('fails where the domain refuses what was read', () => {
    const { names } = given(uploaded, extracted, refused('RecordModelMetadata'));
    expect(names).to.include.members(['FailWorkflow', 'call model.delete-files', 'end']);
  });

  it('removes the files of a deleted model', () => {
    const deleted = happened('ModelDeleted', { model_id: ids.model_id, name: 'ocr', artefact });
    expect(givenProcess(modelDeletion, deleted).names).to.deep.equal(['remove models/ocr.onnx', 'end']);
    const copied = happened('ModelDeleted', { model_id: ids.model_id, name: 'ocr', artefact, local_path: '/tmp/x' });
    expect(givenProcess(modelDeletion, copied).names).to.deep.equal([
      'remove models/ocr.onnx',
      'call model.delete-files',
      'end',
    ]);
    const cloud = happened('ModelDeleted', { model_id: ids.model_id, name: 'ocr', artefact: null });
    expect(givenProcess(modelDeletion, cloud).names).to.equal(null);
  });
});

describe('the metadata of a model', () => {
  it('says null and nothing where the service does not know', () => {
    expect(toModelMetadata({})).to.deep.equal({
      format: null,
      author: null,
      description: null,
      license: null,
      uri: null,
      modality: [],
      tasks: [],
      tags: [],
      num_params: null,
      producer: null,
      opset: {},
      inputs: [],
      outputs: [],
    });
  });

  it('reads what an ONNX file says', () => {
    const read = toModelMetadata({
      license: { name: 'MIT' },
      modality: { text: true, image: false },
      tasks: [{ name: 'ocr' }, 'detection', 7],
      tags: 'one',
      architecture: {
        num_params: 42,
        producer: { name: 'pytorch', version: '2.1' },
        opset: { 'ai.onnx': 17 },
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [-1, 3, 48, 320] },
          { name: 'untyped', datatype: null, shape: [1] },
        ],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 10] }],
      },
    });
    expect(read).to.deep.include({
      format: 'onnx',
      license: 'MIT',
      modality: ['text'],
      tasks: ['ocr', 'detection'],
      tags: ['one'],
      num_params: 42,
      producer: 'pytorch 2.1',
      opset: { 'ai.onnx': 17 },
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, 48, 320] }],
    });
  });
});
