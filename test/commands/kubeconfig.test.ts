import { expect } from 'chai';
import { stringify } from 'yaml';
import { registerCluster } from '../../src/commands/cluster/register-cluster.ts';
import { given } from './given.ts';

const SECRET = 'c2VjcmV0LXRva2Vu';

const kubeconfig = (change: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'home', cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority-data': SECRET } }],
  contexts: [{ name: 'admin@home', context: { cluster: 'home', user: 'admin' } }],
  users: [{ name: 'admin', user: { token: SECRET } }],
  'current-context': 'admin@home',
  ...change,
});

/** What is no kubeconfig, each with the field that the refusal names. */
const WRONG: Readonly<Record<string, [text: string, field: RegExp]>> = {
  'no YAML': [`a: [${SECRET}`, /YAML/],
  'two documents': [`a: 1\n---\nb: ${SECRET}`, /YAML/],
  'a text': [SECRET, /the whole/],
  'another version': [stringify(kubeconfig({ apiVersion: 'v2' })), /apiVersion/],
  'another kind': [stringify(kubeconfig({ kind: 'Secret' })), /kind/],
  'no clusters': [stringify(kubeconfig({ clusters: [] })), /clusters/],
  'a cluster without a server': [
    stringify(kubeconfig({ clusters: [{ name: 'home', cluster: {} }] })),
    /clusters\.0\.cluster\.server/,
  ],
  'a server that is no URL': [
    stringify(kubeconfig({ clusters: [{ name: 'home', cluster: { server: SECRET } }] })),
    /server/,
  ],
  'no contexts': [stringify(kubeconfig({ contexts: undefined })), /contexts/],
  'no users': [stringify(kubeconfig({ users: null })), /users/],
  'no current context': [stringify(kubeconfig({ 'current-context': '' })), /current-context/],
  'an unknown current context': [stringify(kubeconfig({ 'current-context': 'other' })), /current-context/],
  'an unknown cluster': [
    stringify(kubeconfig({ contexts: [{ name: 'admin@home', context: { cluster: 'away', user: 'admin' } }] })),
    /cluster/,
  ],
  'an unknown user': [
    stringify(kubeconfig({ contexts: [{ name: 'admin@home', context: { cluster: 'home', user: 'nobody' } }] })),
    /user/,
  ],
  'aliases without end': [
    `a: &a [x]\n${Array.from({ length: 20 }, (_, n) => `b${n}: &b${n} [*${n ? `b${n - 1}` : 'a'}, *${n ? `b${n - 1}` : 'a'}]`).join('\n')}`,
    /./,
  ],
};

describe('the registration of a cluster whose service is a real one', () => {
  const register = (configuration: string) =>
    given().whereClustersNeed('kubeconfig').when(registerCluster, { name: 'home', configuration });

  it('takes a kubeconfig in YAML or JSON', () => {
    for (const text of [stringify(kubeconfig()), JSON.stringify(kubeconfig({ preferences: {} }))]) {
      register(text).then({ type: 'ClusterRegistrationRequested' });
    }
  });

  for (const [title, [text, field]] of Object.entries(WRONG)) {
    it(`refuses ${title}, and quotes nothing of it`, () => {
      const { message } = register(text).thenRefused('invalid-kubeconfig');
      expect(message).to.match(field).and.not.to.contain(SECRET);
    });
  }

  it('takes any text where the cluster service does', () => {
    given()
      .when(registerCluster, { name: 'home', configuration: '# this machine' })
      .then({ type: 'ClusterRegistrationRequested' });
  });
});
