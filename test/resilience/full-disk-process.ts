import { failureText } from '../../src/failures/failure-text.ts';
import { writeAtomically } from '../../src/resilience/atomic-file.ts';

// Whoever starts this limits the size of files: what fits is written, and the next write fails, as on a full disk.
process.on('SIGXFSZ', () => {});
const [, , file = '', size = ''] = process.argv;
try {
  await writeAtomically(file, 'y'.repeat(Number(size)));
  process.stdout.write('written');
} catch (error) {
  process.stdout.write(failureText(error));
}
