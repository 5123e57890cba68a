import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig, SETTINGS } from '../../src/config/config.ts';
import type { Rendered, Values } from './containers/chart.ts';
import {
  createChart,
  environmentOf,
  isHook,
  type Manifest,
  ofKind,
  type Pod,
  podsOf,
  valuesText,
} from './containers/chart.ts';
import { orSkip } from './harness/or-skip.ts';
import { runCommand } from './harness/run-command.ts';
import { needPythonPackage } from './install/python.ts';
import { needTool } from './install/tools.ts';

/** By what they are for; on top of the chart's own values. */
const VALUE_SETS: Readonly<Record<string, Values>> = {
  'no values at all': [],
  "the original system's values": ['seed'],
  production: ['production'],
  "production with the original system's values": ['production', 'seed'],
  'production with all that can be switched on': ['production', 'everything'],
  'a Secret made elsewhere': ['existing-secret'],
  'no Dapr': ['without-dapr'],
};
const KUBERNETES = ['1.29', '1.34'];
/** Kinds that a cluster only knows with Dapr, or with Prometheus' operator. */
const FOREIGN = ['dapr.io/v1alpha1', 'dapr.io/v2alpha1', 'monitoring.coreos.com/v1'];
const MASTER_KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
const ELSEWHERE: Readonly<Record<string, string>> = {
  MASTER_KEY,
  NATS_URL: 'nats://n',
  EVENTSTORE_URL: 'esdb://e:2113',
};

/** Longest orderly end of `src/main.ts`, in seconds. */
const CLOSING = 20;

const Labels = z.record(z.string(), z.string());
const ByLabels = z.object({ matchLabels: Labels }).transform(({ matchLabels }) => matchLabels);
const Selecting = z.object({ spec: z.object({ selector: z.union([ByLabels, Labels]) }) });

const COMPONENTS = new URL('../../deploy/dapr/components/', import.meta.url);
const DaprResource = z.looseObject({
  spec: z.looseObject({ metadata: z.array(z.looseObject({})).optional() }),
  scopes: z.array(z.string()).optional(),
});

const labelsSelectedBy = (manifest: Manifest | undefined) => Selecting.parse(manifest).spec.selector;

const selects = (manifest: Manifest | undefined, { labels }: Pod): boolean =>
  Object.entries(labelsSelectedBy(manifest)).every(([name, value]) => labels[name] === value);

const component = ({ labels }: Pod): string => labels['app.kubernetes.io/component'] ?? '';
const byName = (manifests: readonly Manifest[], name: string) =>
  manifests.find(({ metadata }) => metadata.name === name);

describe('the Helm chart', function () {
  this.timeout(300_000);
  let chart: ReturnType<typeof createChart>;
  let validate: (manifests: string, kubernetes: string) => Promise<string>;
  const rendered = new Map<string, Rendered>();
  const sets = (): [string, Rendered][] => [...rendered];
  const renderedWith = (name: string): Rendered => {
    const found = rendered.get(name);
    if (found === undefined) throw new Error(`nothing is rendered for ${name}`);
    return found;
  };
  let dir: string;

  before(async function () {
    chart = createChart((await orSkip(this, needTool('helm'))).program);
    const { python, folder } = await orSkip(this, needPythonPackage('kubernetes-validate', '1.37.0'));
    dir = await mkdtemp(join(tmpdir(), 'budapp-chart-'));
    validate = (file, kubernetes) =>
      runCommand(python, ['-m', 'kubernetes_validate', '--strict', '--kubernetes-version', kubernetes, file], {
        env: { PYTHONPATH: folder },
      });
    for (const [name, values] of Object.entries(VALUE_SETS)) rendered.set(name, await chart.render(values));
  });
  after(async () => {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  it('passes the strict lint with every set of values', async () => {
    for (const values of Object.values(VALUE_SETS)) expect(await chart.lint(values)).to.include('0 chart(s) failed');
  });

  for (const kubernetes of KUBERNETES) {
    it(`gives what Kubernetes ${kubernetes} takes, with no field that it does not know`, async () => {
      const all = sets().flatMap(([, { manifests }]) => manifests);
      const ours = all.filter(({ apiVersion }) => !FOREIGN.includes(apiVersion));
      const file = join(dir, `${kubernetes}.yaml`);
      await writeFile(file, ours.map((manifest) => JSON.stringify(manifest)).join('\n---\n'));
      const said = await validate(file, kubernetes);
      expect(said.match(/ passed for resource /g)).to.have.lengthOf(ours.length);
      expect(said).not.to.match(/WARN|FAIL|ERROR/);
    });
  }

  it('gives each pod settings that BudApp takes as they are, and no others', () => {
    for (const [name, each] of sets()) {
      for (const pod of podsOf(each).filter((pod) => component(pod) !== 'test')) {
        const environment = environmentOf(each, pod, (key) => ELSEWHERE[key] ?? `${key}-made-elsewhere`);
        expect(() => loadConfig(environment), `${name}: ${pod.owner.metadata.name}`).not.to.throw();
        expect(SETTINGS, `${name}: ${pod.owner.metadata.name}`).to.include.members(Object.keys(environment));
      }
    }
  });

  it('runs each role in a deployment of its own, which production needs', () => {
    const roles = ofKind(renderedWith('production'), 'Deployment').map(({ metadata }) => metadata.name);
    expect(roles).to.have.members(['budapp-api', 'budapp-projector', 'budapp-processes']);
    for (const pod of podsOf(renderedWith('production'))) {
      const role = pod.spec.containers[0]?.env.find(({ name }) => name === 'ROLES')?.value;
      if (pod.owner.kind === 'Deployment') expect(role).to.equal(component(pod));
    }
  });

  it('keeps secrets in Secrets', () => {
    for (const [name, { manifests }] of sets()) {
      const others = manifests.filter(({ kind }) => kind !== 'Secret');
      expect(JSON.stringify(others), name)
        .not.to.match(/secret-of-/)
        .and.not.to.include(MASTER_KEY);
    }
  });

  it('lets no container write to its own files, be root or reach the API server', () => {
    for (const [name, each] of sets()) {
      for (const { owner, spec } of podsOf(each)) {
        const where = `${name}: ${owner.metadata.name}`;
        expect(spec.automountServiceAccountToken, where).to.equal(false);
        expect(spec.securityContext, where).to.deep.include({
          runAsNonRoot: true,
          runAsUser: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        for (const container of spec.containers) {
          expect(container.securityContext, where).to.deep.equal({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            runAsNonRoot: true,
            capabilities: { drop: ['ALL'] },
          });
          const writable = container.volumeMounts.filter(({ readOnly }) => !readOnly).map(({ mountPath }) => mountPath);
          expect(['/tmp', '/data'], where).to.include.members(writable);
          expect(container.resources, where).to.have.property('requests');
          expect(container.image, where)
            .to.match(/:.+/)
            .and.not.to.match(/:latest$/);
        }
      }
    }
  });

  it('gives BudApp the time for an orderly end', () => {
    for (const pod of podsOf(renderedWith('production')).filter(({ owner }) => owner.kind === 'Deployment'))
      expect(pod.spec.terminationGracePeriodSeconds).to.be.greaterThan(CLOSING + 5);
  });

  it('points services, budgets, monitors and autoscalers at pods that are there', () => {
    for (const [name, each] of sets()) {
      const pods = podsOf(each);
      for (const manifest of [
        ...ofKind(each, 'Service'),
        ...ofKind(each, 'PodDisruptionBudget'),
        ...ofKind(each, 'Deployment'),
      ])
        expect(
          pods.filter((pod) => selects(manifest, pod)),
          `${name}: ${manifest.kind} ${manifest.metadata.name}`,
        ).not.to.be.empty;
      for (const { spec } of ofKind(each, 'HorizontalPodAutoscaler')) {
        const { scaleTargetRef } = z.object({ scaleTargetRef: z.object({ name: z.string() }) }).parse(spec);
        const target = byName(ofKind(each, 'Deployment'), scaleTargetRef.name);
        expect(target?.spec, `${name}: ${scaleTargetRef.name}`).to.be.an('object').and.not.to.have.property('replicas');
      }
    }
    const everything = renderedWith('production with all that can be switched on');
    const [monitor] = ofKind(everything, 'ServiceMonitor');
    const watched = ofKind(everything, 'Service').filter(({ metadata }) =>
      Object.entries(labelsSelectedBy(monitor)).every(([label, value]) => metadata.labels[label] === value),
    );
    expect(watched.map(({ metadata }) => metadata.name)).to.deep.equal(['budapp-metrics']);
  });

  it('sends requests to the API only', () => {
    for (const [name, each] of sets()) {
      const service = byName(ofKind(each, 'Service'), 'budapp');
      const reached = podsOf(each)
        .filter((pod) => selects(service, pod))
        .map(component);
      expect(reached, name)
        .to.have.lengthOf(1)
        .and.to.satisfy(([role]: string[]) => role === 'api' || role === 'evaluation');
    }
  });

  it('migrates before anything else changes, with nothing that is not there yet', () => {
    for (const name of ['production', 'a Secret made elsewhere']) {
      const each = renderedWith(name);
      const [job] = ofKind(each, 'Job');
      const pod = podsOf(each).find(({ owner }) => owner === job);
      expect(pod?.spec.containers[0]?.command).to.deep.equal(['node', 'src/cli.ts', 'migrate']);
      expect(job?.metadata.annotations['helm.sh/hook']).to.equal('pre-install,pre-upgrade');
      const release = each.manifests
        .filter((manifest) => !isHook(manifest))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      const needed = (pod?.spec.containers[0]?.env ?? []).flatMap(
        ({ valueFrom }) => valueFrom?.secretKeyRef.name ?? [],
      );
      for (const secret of needed) expect(release, name).not.to.include(`Secret ${secret}`);
      expect(pod?.spec.containers[0]?.envFrom).to.deep.equal([]);
      expect(release).not.to.include(`ServiceAccount ${pod?.spec.serviceAccountName}`);
      const weight = (manifest: Manifest | undefined) => Number(manifest?.metadata.annotations['helm.sh/hook-weight']);
      for (const secret of ofKind(each, 'Secret').filter(isHook)) expect(weight(secret)).to.be.lessThan(weight(job));
    }
  });

  it('replaces pods whose settings or secrets change, and no others', async () => {
    const annotations = async (...values: string[]) =>
      podsOf(await chart.render(['production', ...values])).map((pod) => pod.annotations);
    const before = await annotations();
    expect(await annotations('postgres.host=elsewhere')).not.to.deep.equal(before);
    expect(await annotations('postgres.password=other')).not.to.deep.equal(before);
    expect(await annotations('appApiToken=another-token-of-the-app')).not.to.deep.equal(before);
    expect(await annotations('service.port=81')).to.deep.equal(before);
  });

  it('takes the values of the original system at their word', () => {
    const { budapp } = z
      .object({ budapp: z.looseObject({ resources: z.looseObject({}) }) })
      .parse(parse(valuesText('seed')));
    for (const name of ["the original system's values", "production with the original system's values"]) {
      const pods = podsOf(renderedWith(name)).filter(({ owner }) => ['Deployment', 'StatefulSet'].includes(owner.kind));
      for (const { spec } of pods) {
        const [container] = spec.containers;
        expect(container?.resources).to.deep.equal(budapp.resources);
        expect(container?.env.filter((variable) => variable.name === 'LOG_LEVEL')).to.deep.equal([
          { name: 'LOG_LEVEL', value: 'INFO' },
        ]);
      }
    }
    const api = byName(
      ofKind(renderedWith("production with the original system's values"), 'Deployment'),
      'budapp-api',
    );
    expect(api?.spec).to.include({ replicas: 3 });
  });

  it('installs, without any values, one pod with stand-ins and its data on a volume', () => {
    const each = renderedWith('no values at all');
    const [evaluation] = podsOf(each);
    expect(each.manifests.map(({ kind }) => kind))
      .to.include('StatefulSet')
      .and.not.to.include.members(['Deployment', 'Job']);
    expect(evaluation?.spec.containers[0]?.image).to.match(/-evaluation$/);
    const [set] = ofKind(each, 'StatefulSet');
    expect(set?.spec)
      .to.include({ replicas: 1 })
      .and.to.have.nested.property('volumeClaimTemplates[0].metadata.name', 'data');
  });

  it('gives sidecars to the roles that call others, with the app id and port of the API only', () => {
    const pods = podsOf(renderedWith('production'));
    const dapr = (role: string) =>
      Object.entries(pods.find((pod) => component(pod) === role)?.annotations ?? {}).filter(([name]) =>
        name.startsWith('dapr.io/'),
      );
    expect(Object.fromEntries(dapr('api'))).to.include({
      'dapr.io/app-id': 'budapp',
      'dapr.io/app-port': '9081',
      'dapr.io/app-token-secret': 'budapp-app-api-token',
      'dapr.io/api-token-secret': 'budapp-dapr-api-token',
    });
    expect(Object.fromEntries(dapr('processes')))
      .to.include({ 'dapr.io/app-id': 'budapp-processes' })
      .and.not.to.have.property('dapr.io/app-port');
    expect(dapr('projector')).to.deep.equal([]);
  });

  it('spares sidecars the secret store of Kubernetes, which they would end of without a token', () => {
    for (const [name, each] of sets()) {
      for (const { annotations, spec } of podsOf(each).filter((pod) => pod.annotations['dapr.io/enabled'] === 'true')) {
        expect(spec.automountServiceAccountToken, name).to.equal(false);
        expect(annotations, name).to.include({ 'dapr.io/disable-builtin-k8s-secret-store': 'true' });
      }
    }
  });

  it('lets autoscalers reckon with sidecars: each asks for a share of the processor', () => {
    const sidecars = podsOf(renderedWith('production with all that can be switched on'))
      .map(({ annotations }) => annotations)
      .filter((annotations) => annotations['dapr.io/enabled'] === 'true');
    expect(sidecars).to.have.lengthOf(2);
    for (const annotations of sidecars) {
      expect(annotations).to.include({
        'dapr.io/sidecar-cpu-request': '100m',
        'dapr.io/sidecar-memory-limit': '256Mi',
      });
    }
  });

  it('gives sidecars the components of deploy/dapr, where it is asked to', async () => {
    const each = renderedWith('production with all that can be switched on');
    for (const kind of ['Component', 'Subscription']) expect(ofKind(each, kind)).not.to.be.empty;
    for (const made of [...ofKind(each, 'Component'), ...ofKind(each, 'Subscription')]) {
      const name = made.kind === 'Subscription' ? 'budapp-messages' : made.metadata.name;
      const ours = DaprResource.parse(parse(await readFile(new URL(`${name}.yaml`, COMPONENTS), 'utf8')));
      const theirs = DaprResource.parse(made);
      const { metadata = [], ...spec } = ours.spec;
      expect(theirs.spec).to.deep.include(spec);
      expect(theirs.spec.metadata ?? []).to.deep.include.members(metadata.filter((each) => 'value' in each));
      expect(theirs.scopes).to.deep.equal(ours.scopes);
    }
  });

  const REFUSED: readonly [title: string, values: Values, said: RegExp][] = [
    ['a value that it does not know', ['budapp.replicsa=3'], /replicsa/],
    ['no pods at all', ['budapp.replicas=0'], /replicas/],
    ['a master key that is none', ['production', 'masterKey=short'], /masterKey/],
    ['an address with a scheme where a host belongs', ['production', 'minio.endpoint=http://minio:9000'], /endpoint/],
    ['a log that BudApp cannot be connected to', ['production', 'eventstore.url=eventstoredb://e:2113'], /eventstore/],
    ['a token that is too short', ['production', 'appApiToken=short'], /appApiToken/],
    ['an ingress without a host', ['production', 'ingress.enabled=true'], /hosts/],
    [
      'a real system in an evaluation',
      ['postgres.host=postgres'],
      /postgres\.host is set, but evaluation\.enabled is true/,
    ],
    ['production without a database', ['production', 'postgres.host='], /postgres\.host is not set/],
    [
      'production that nobody could reach the services from',
      ['production', 'dapr.enabled=false'],
      /services\.budcluster \(or dapr\.enabled\) is not set/,
    ],
    ['passwords over plain http', ['production', 'keycloak.url=http://keycloak.data.svc'], /keycloak\.allowHttp/],
    ['sidecars without the token of the app', ['existing-secret', 'dapr.appTokenSecret='], /dapr\.appTokenSecret/],
  ];
  for (const [title, values, said] of REFUSED) {
    it(`refuses ${title}`, async () => {
      const failure = await chart.render(values).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
      expect(failure).to.match(said);
    });
  }

  it('names all missing values of production at once', async () => {
    const failure = await chart.render(['without-dapr', 'postgres.host=', 'nats.url=', 'services.budsim=']).then(
      () => '',
      (error: Error) => error.message,
    );
    for (const value of ['postgres.host', 'nats.url', 'services.budsim (or dapr.enabled)'])
      expect(failure).to.include(`${value} is not set`);
  });
});
