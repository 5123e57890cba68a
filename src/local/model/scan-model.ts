import { basename } from 'node:path';
import { ScanModelRequest } from '../../contracts/budmodel.ts';
import type { ScanResult } from '../../contracts/notification.ts';
import type { FetchArtefact } from '../service/artefact-cache.ts';
import { findRegularFile } from '../service/disk-path.ts';
import { StepFailed, type WorkflowKind } from '../service/workflows.ts';
import type { Inspect } from './inspector.ts';
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

interface Issue {
  [field: string]: unknown;
  severity: 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW';
  title: string;
  description: string;
  source: string;
}

/** What is suspicious about a model, from its structure alone. */
export const findIssues = (facts: OnnxFacts, source: string): Issue[] => [
  ...facts.external_files.map(
    (location): Issue =>
      escapes(location)
        ? {
            severity: 'CRITICAL',
            title: 'Reads files outside its directory',
            description: `weights are kept in ${location}`,
            source,
          }
        : {
            severity: 'LOW',
            title: 'Keeps weights in another file',
            description: `weights are kept in ${location}`,
            source,
          },
  ),
  ...Object.keys(facts.operators)
    .filter((operator) => CODE_OPERATORS.has(operator.split('.').at(-1) ?? ''))
    .map(
      (operator): Issue => ({
        severity: 'HIGH',
        title: 'Runs code of its own',
        description: `the operator ${operator} executes Python`,
        source,
      }),
    ),
  ...facts.domains
    .filter((domain) => !KNOWN_DOMAINS.has(domain))
    .map(
      (domain): Issue => ({
        severity: 'MEDIUM',
        title: 'Needs custom operators',
        description: `the operators of domain ${domain} exist only in native code that would have to be loaded`,
        source,
      }),
    ),
];

const resultOf = (issues: readonly Issue[], source: string): ScanResult => {
  const total_issues_by_severity: Record<string, number> = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0 };
  for (const { severity } of issues) total_issues_by_severity[severity] = (total_issues_by_severity[severity] ?? 0) + 1;
  return {
    total_issues: issues.length,
    total_scanned: 1,
    scanned_files: [source],
    total_issues_by_severity,
    model_issues: [...issues],
  };
};

/** `POST model-info/scan`: looks at the structure of one ONNX file; the model is not run. */
export const scanModel = (options: {
  inspect: Inspect;
  fetchArtefact: FetchArtefact;
}): WorkflowKind<typeof ScanModelRequest> => ({
  type: 'perform_model_security_scan',
  workflow_name: 'perform_model_security_scan',
  eta_minutes: 1,
  steps: [
    { id: 'security_scan', title: 'Scanning the model', description: 'Operators and file references are checked' },
  ],
  request: ScanModelRequest,
  failure_result: () => null,
  perform: (request, { signal, step }) =>
    step('security_scan', async () => {
      const { path } = await findRegularFile(request.model_path, { fetchArtefact: options.fetchArtefact, signal });
      const found = await options.inspect(path, { open: false, signal });
      if (!found.accepted) throw new StepFailed(found.reason);
      const scan_result = resultOf(findIssues(found.facts, basename(path)), basename(path));
      return { message: `${scan_result.total_issues} issues found`, value: { scan_result } };
    }),
});
