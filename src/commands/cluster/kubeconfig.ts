import { parse } from 'yaml';
import { z } from 'zod';

const name = z.string().min(1);
const Cluster = z.looseObject({ server: z.url({ protocol: /^https?$/ }) });
const Context = z.looseObject({ cluster: name, user: name });

const Kubeconfig = z.looseObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('Config'),
  clusters: z.array(z.looseObject({ name, cluster: Cluster })).min(1),
  contexts: z.array(z.looseObject({ name, context: Context })).min(1),
  users: z.array(z.looseObject({ name, user: z.looseObject({}) })).min(1),
  'current-context': name,
});

/** Never with the parser's own message, which quotes the text: it has keys and tokens. */
const parseYaml = (text: string): unknown => {
  try {
    return parse(text, { prettyErrors: false });
  } catch {
    return undefined;
  }
};

/** Why the text is no kubeconfig that leads to a cluster; null where it is one. Names fields, and quotes no value. */
export const kubeconfigFault = (text: string): string | null => {
  const content = parseYaml(text);
  if (content === undefined) return 'is not YAML';
  const parsed = Kubeconfig.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') || 'the whole';
    return `is not a kubeconfig: ${where}: ${issue?.message ?? 'invalid'}`;
  }
  const { clusters, contexts, users } = parsed.data;
  const current = contexts.find(({ name }) => name === parsed.data['current-context']);
  if (!current) return 'is not a kubeconfig: current-context names no context';
  const { cluster, user } = current.context;
  if (!clusters.some(({ name }) => name === cluster)) return 'is not a kubeconfig: its context names no cluster';
  if (!users.some(({ name }) => name === user)) return 'is not a kubeconfig: its context names no user';
  return null;
};
