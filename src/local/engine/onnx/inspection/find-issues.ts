import type { Issue } from '../../engine.ts';
import { escapes, type OnnxFacts } from './onnx-facts.ts';

/** Domains whose operators ONNX Runtime brings along; any other needs foreign code to be loaded. */
const KNOWN_DOMAINS = new Set([
  'ai.onnx',
  'ai.onnx.ml',
  'ai.onnx.training',
  'ai.onnx.preview.training',
  'com.microsoft',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
]);
/** Operators that run code which the model carries or names. */
const CODE_OPERATORS = new Set(['PyOp', 'PythonOp', 'PythonOpGrad']);

/** What is suspicious about a model, from its structure alone. */
export const findIssues = (facts: OnnxFacts): Issue[] => [
  ...facts.external_files.map(
    (location): Issue =>
      escapes(location)
        ? {
            severity: 'CRITICAL',
            title: 'Reads files outside its directory',
            description: `weights are kept in ${location}`,
          }
        : {
            severity: 'LOW',
            title: 'Keeps weights in another file',
            description: `weights are kept in ${location}`,
          },
  ),
  ...Object.keys(facts.operators)
    .filter((operator) => CODE_OPERATORS.has(operator.split('.').at(-1) ?? ''))
    .map(
      (operator): Issue => ({
        severity: 'HIGH',
        title: 'Runs code of its own',
        description: `the operator ${operator} executes Python`,
      }),
    ),
  ...facts.domains
    .filter((domain) => !KNOWN_DOMAINS.has(domain))
    .map(
      (domain): Issue => ({
        severity: 'MEDIUM',
        title: 'Needs custom operators',
        description: `the operators of domain ${domain} exist only in native code that would have to be loaded`,
      }),
    ),
];
