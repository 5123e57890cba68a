import { expect } from 'chai';
import { findIssues } from '../../../../src/local/engine/onnx/inspection/find-issues.ts';
import { factsOf } from '../../../../src/local/engine/onnx/inspection/onnx-facts.ts';
import { OnnxFile } from '../../../../src/local/engine/onnx/inspection/onnx-file.ts';

const aModel = (graph: object, more: object = {}) =>
  factsOf(OnnxFile.parse({ ir_version: 8, opset_import: [{ version: 17 }], graph, ...more }));
const weightsIn = (location: string) => ({
  initializer: [
    { name: 'w', dims: [2, 3], data_type: 1, data_location: 1, external_data: [{ key: 'location', value: location }] },
  ],
});
const severitiesOf = (facts: ReturnType<typeof aModel>) => findIssues(facts).map(({ severity }) => severity);

describe('the issues of an ONNX model', () => {
  for (const location of ['../secret', '/etc/passwd', 'a/../../b', '..\\secret', 'c:\\secret']) {
    it(`reports weights in ${location} as critical`, () => {
      expect(severitiesOf(aModel(weightsIn(location)))).to.deep.equal(['CRITICAL']);
    });
  }

  it('reports weights in a file beside the model as low', () => {
    expect(severitiesOf(aModel(weightsIn('weights/a..b.bin')))).to.deep.equal(['LOW']);
  });

  it('reports operators of a foreign domain, in subgraphs too', () => {
    const body = { node: [{ op_type: 'Magic', domain: 'acme' }] };
    const facts = aModel({ node: [{ op_type: 'If', attribute: [{ name: 'then_branch', g: body }] }] });
    expect(findIssues(facts)[0]).to.include({ severity: 'MEDIUM' });
  });

  it('accepts operators that the model defines itself', () => {
    const functions = [{ name: 'Magic', domain: 'acme', node: [{ op_type: 'Add' }] }];
    expect(severitiesOf(aModel({ node: [{ op_type: 'Magic', domain: 'acme' }] }, { functions }))).to.deep.equal([]);
  });

  it('reports operators that run Python', () => {
    expect(severitiesOf(aModel({ node: [{ op_type: 'PythonOp', domain: 'com.microsoft' }] }))).to.deep.equal(['HIGH']);
  });

  it('counts weights in initializers and constants, not shapes, and leaves weights out of the inputs', () => {
    const facts = aModel({
      initializer: [
        { name: 'w', dims: [2, 3], data_type: 1 },
        { name: 'shape', dims: [4], data_type: 7 },
      ],
      node: [{ op_type: 'Constant', attribute: [{ name: 'value', t: { dims: [5], data_type: 10 } }] }],
      input: [
        { name: 'w' },
        { name: 'x', type: { tensor_type: { elem_type: 7, shape: { dim: [{}, { dim_value: 0 }] } } } },
      ],
    });
    expect(facts.num_params).to.equal(11);
    expect(facts.inputs).to.deep.equal([{ name: 'x', datatype: 'INT64', shape: [-1, 0] }]);
  });
});
