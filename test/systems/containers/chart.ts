import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { runCommand } from '../harness/run-command.ts';

const CHART = fileURLToPath(new URL('../../../charts/budapp/', import.meta.url));
const VALUES = new URL('./manifests/', import.meta.url);

const Labels = z.record(z.string(), z.string());
const SecretKey = z.object({ name: z.string(), key: z.string() });
const Variable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ secretKeyRef: SecretKey }).optional(),
});
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  securityContext: z.looseObject({}),
  env: z.array(Variable).default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  resources: z.looseObject({}),
  volumeMounts: z.array(z.looseObject({ mountPath: z.string(), readOnly: z.boolean().optional() })).default([]),
});
const PodSpec = z.looseObject({
  containers: z.array(Container),
  serviceAccountName: z.string().optional(),
  automountServiceAccountToken: z.boolean().optional(),
  terminationGracePeriodSeconds: z.number().optional(),
  securityContext: z.looseObject({}),
});
export const PodTemplate = z.looseObject({
  metadata: z.looseObject({ labels: Labels, annotations: Labels.default({}) }),
  spec: PodSpec,
});
export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: Labels.default({}), annotations: Labels.default({}) }),
});
export type Manifest = z.output<typeof Manifest>;

export interface Pod {
  /** The manifest that it comes from. */
  owner: Manifest;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  spec: z.output<typeof PodSpec>;
}

/** Everything that the API server would be sent, hooks included. */
export interface Rendered {
  text: string;
  manifests: readonly Manifest[];
}

/** As `helm` takes them: a name stands for a file of `manifests/`, what has a `=` for itself. */
export type Values = readonly string[];

const flagsOf = (values: Values): string[] =>
  values.flatMap((value) =>
    value.includes('=') ? ['--set', value] : ['--values', fileURLToPath(new URL(`${value}.yaml`, VALUES))],
  );

export const valuesText = (name: string): string => readFileSync(new URL(`${name}.yaml`, VALUES), 'utf8');

export const createChart = (helm: string) => ({
  lint: (values: Values) => runCommand(helm, ['lint', '--strict', CHART, ...flagsOf(values)]),
  render: async (values: Values): Promise<Rendered> => {
    const text = await runCommand(helm, [
      'template',
      'budapp',
      CHART,
      '--namespace',
      'bud',
      '--kube-version',
      '1.34',
      ...flagsOf(values),
    ]);
    const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
    return { text, manifests: documents.filter((document) => document !== null).map((each) => Manifest.parse(each)) };
  },
});

/** The pods of deployments, stateful sets and jobs, and single ones. */
export const podsOf = ({ manifests }: Rendered): Pod[] =>
  manifests.flatMap((owner) => {
    if (owner.kind === 'Pod') {
      const { labels, annotations } = owner.metadata;
      return [{ owner, labels, annotations, spec: PodSpec.parse(owner.spec) }];
    }
    const found = z.object({ spec: z.object({ template: PodTemplate }) }).safeParse(owner);
    if (!found.success) return [];
    const { metadata, spec } = found.data.spec.template;
    return [{ owner, labels: metadata.labels, annotations: metadata.annotations, spec }];
  });

export const ofKind = ({ manifests }: Rendered, kind: string): Manifest[] =>
  manifests.filter((manifest) => manifest.kind === kind);

export const isHook = ({ metadata }: Manifest): boolean => metadata.annotations['helm.sh/hook'] !== undefined;

const dataOf = (manifest: Manifest | undefined): Readonly<Record<string, string>> =>
  Labels.parse(manifest?.data ?? manifest?.stringData ?? {});

/** What a process in the pod finds in its environment; what comes from a Secret made elsewhere is looked up. */
export const environmentOf = (
  rendered: Rendered,
  { owner, spec }: Pod,
  elsewhere: (key: string) => string,
): Record<string, string> => {
  const [container] = spec.containers;
  if (container === undefined) return {};
  // A hook runs when there is nothing yet but hooks; everything else, when the hooks are gone.
  const there = rendered.manifests.filter((manifest) => isHook(manifest) === isHook(owner));
  const find = (kind: string, name: string) => there.find((each) => each.kind === kind && each.metadata.name === name);
  const shared = container.envFrom.map(({ configMapRef }) => dataOf(find('ConfigMap', configMapRef.name)));
  const own = container.env.map(({ name, value, valueFrom }) => {
    if (valueFrom === undefined) return [name, value ?? ''] as const;
    const secret = find('Secret', valueFrom.secretKeyRef.name);
    const found = secret === undefined ? elsewhere(name) : dataOf(secret)[valueFrom.secretKeyRef.key];
    if (found === undefined) throw new Error(`${owner.metadata.name}: its Secret has no ${valueFrom.secretKeyRef.key}`);
    return [name, found] as const;
  });
  return Object.assign({}, ...shared, Object.fromEntries(own));
};
