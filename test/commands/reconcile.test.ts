import { expect } from 'chai';
import fc from 'fast-check';
import { reconcile } from '../../src/commands/endpoint/reconcile.ts';

const worker = (name: string, status = 'Running') => ({ id: `id-${name}`, name, status });
const known = ['w-1', 'w-2', 'w-10'];

describe('reconciliation of the workers of an endpoint', () => {
  it('counts what is missing', () => {
    expect(reconcile({ desired: 3, known }, [worker('w-1')])).to.deep.equal({ missing: 2, surplus: [], unknown: [] });
    expect(reconcile({ desired: 1, known }, [])).to.include({ missing: 1 });
  });

  it('removes the unknown first, then what does not run, then the youngest', () => {
    const reported = [worker('w-1'), worker('w-2'), worker('w-10'), worker('stray')];
    const surplusOf = (desired: number) => reconcile({ desired, known }, reported).surplus;
    expect(surplusOf(3)).to.deep.equal(['id-stray']);
    expect(surplusOf(1)).to.deep.equal(['id-stray', 'id-w-10', 'id-w-2']);
    const down = [worker('w-1', 'Pending'), worker('w-2'), worker('w-10')];
    expect(reconcile({ desired: 2, known }, down).surplus).to.deep.equal(['id-w-1']);
    expect(reconcile({ desired: 3, known }, reported).unknown).to.deep.equal(['id-stray']);
  });

  it('takes a worker that the cluster itself has replaced', () => {
    const replaced = [worker('w-1'), worker('w-2'), worker('w-11')];
    expect(reconcile({ desired: 3, known }, replaced)).to.deep.equal({ missing: 0, surplus: [], unknown: [] });
  });

  it('counts a worker once, and not one that is leaving', () => {
    const twice = [worker('w-1'), worker('w-1'), worker('w-2', 'Terminating'), { id: null, name: null }];
    expect(reconcile({ desired: 2, known }, twice)).to.include({ missing: 1 });
  });

  it('leads to what is desired, whatever is reported', () => {
    const status = fc.constantFrom('Running', 'Pending', 'CrashLoopBackOff', 'Terminating', null);
    const name = fc.constantFrom(...Array.from({ length: 12 }, (_, index) => `w-${index}`));
    const workers = fc.array(fc.record({ id: fc.option(name), name, status }), { maxLength: 15 });
    fc.assert(
      fc.property(fc.nat(10), fc.subarray(known), workers, (desired, names, reported) => {
        const { missing, surplus } = reconcile({ desired, known: names }, reported);
        const keyOf = ({ id, name: called }: { id: string | null; name: string }) => id ?? called;
        const gone = new Set(surplus);
        const left = new Set(reported.filter((one) => one.status !== 'Terminating').map(keyOf));
        for (const key of gone) expect(left.delete(key), key).to.equal(true);
        expect(left.size + missing).to.equal(desired);
        expect(missing === 0 || gone.size === 0).to.equal(true);
      }),
    );
  });
});
