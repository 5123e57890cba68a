import { basename } from 'node:path';
import { ScanModelRequest } from '../../contracts/budmodel.ts';
import type { ScanResult } from '../../contracts/notification.ts';
import type { Issue } from '../engine/engine.ts';
import type { Engines } from '../engine/engines.ts';
import type { FetchArtefact } from '../service/artefact-cache.ts';
import { findRegularFile } from '../service/disk-path.ts';
import type { RequestKind } from '../service/request-workflows.ts';
import { inspectArtefact } from './inspect-artefact.ts';

const resultOf = (issues: readonly Issue[], source: string): ScanResult => {
  const total_issues_by_severity: Record<string, number> = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0 };
  for (const { severity } of issues) total_issues_by_severity[severity] = (total_issues_by_severity[severity] ?? 0) + 1;
  return {
    total_issues: issues.length,
    total_scanned: 1,
    scanned_files: [source],
    total_issues_by_severity,
    model_issues: issues.map((issue) => ({ ...issue, source })),
  };
};

/** `POST model-info/scan`: looks at the structure of one artefact; the model is not run. */
export const scanModel = (options: {
  engines: Engines;
  fetchArtefact: FetchArtefact;
}): RequestKind<typeof ScanModelRequest> => ({
  type: 'perform_model_security_scan',
  request: ScanModelRequest,
  planOf: (_id, request) => ({
    steps: [
      { id: 'security_scan', title: 'Scanning the model', description: 'Operators and file references are checked' },
    ],
    failure_result: null,
    undo: async () => {},
    perform: ({ signal, step }) =>
      step('security_scan', async () => {
        const { path } = await findRegularFile(request.model_path, { fetchArtefact: options.fetchArtefact, signal });
        const { issues } = await inspectArtefact(options.engines, path, { open: false, signal });
        const scan_result = resultOf(issues, basename(path));
        return { message: `${scan_result.total_issues} issues found`, value: { scan_result } };
      }),
  }),
});
