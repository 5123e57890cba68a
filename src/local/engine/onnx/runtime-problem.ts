import { datatypeByNumber } from './onnx-datatypes.ts';
import { unservableType } from './tensors/ports.ts';

/** The sentences of ONNX Runtime that are translated; what is captured is shown. */
const KNOWN: readonly [RegExp, (...captured: string[]) => string][] = [
  [
    /Failed to allocate memory for requested buffer of size (\d+)/,
    (bytes) => `it needs ${bytes} bytes for one tensor, more than there are`,
  ],
  [/bad_alloc/, () => 'it needs more memory than there is'],
  [
    /Unsupported data type: (\d+)/,
    (number = '') => unservableType(datatypeByNumber(Number(number)) ?? `number ${number}`),
  ],
  [
    /Could not find an implementation for (\w+)\((\d+)\)/,
    (operator, version) =>
      `ONNX Runtime has no implementation of the operator ${operator} (version ${version}) for these types on this machine's CPU: cast its inputs to FP32, or export the model for another opset`,
  ],
  [
    /No Op registered for (\S+) with domain_version of (\d+)/,
    (operator, version) => `ONNX has no operator ${operator} in version ${version} of its set`,
  ],
  [
    /Fatal error: (\S+?)(?:\(-?\d+\))? is not a registered function\/op/,
    (operator) => `ONNX Runtime has no operator ${operator}: replace it by operators of ONNX`,
  ],
  [
    /Opset (\d+) is under development[\s\S]*domain (\S+) is till opset (\d+)/,
    (opset, domain, newest) =>
      `the model uses opset ${opset} of ${domain}, and ONNX Runtime knows it up to ${newest}: export it for that`,
  ],
  [
    /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    (version, newest) =>
      `the model has IR version ${version}, and ONNX Runtime reads up to ${newest}: export it for that`,
  ],
  [/protobuf parsing failed/i, () => 'the file is cut short or damaged'],
  [/File doesn't exist/, () => 'the file is not there'],
];

const RUNNING = /^Non-zero status code returned while running (\S+) node\. Name:'([^']*)' Status Message: ([\s\S]*)$/;
/** The place in the runtime's source and the condition that did not hold; the sentence comes after them. */
const LOCATION =
  /^(?:Exception during initialization: )?\S*\.(?:h|cc|cpp|hpp)\S*:\d+\s(?:[\s\S]*\swas false\.\s|[\s\S]*\)\s(?=[A-Z])|\w+\s)?/;
const LOADING = /^Load model from .* failed:\s*/;
const LOOKS_LIKE_SOURCE = /\.(?:h|cc|cpp|hpp)\b|::|onnxruntime_src/;
const LONGEST = 300;

const sentenceOf = (text: string): string | null => {
  for (const [pattern, translate] of KNOWN) {
    const match = pattern.exec(text);
    if (match !== null) return translate(...match.slice(1));
  }
  const plain = text.trim().replace(LOADING, '').replace(LOCATION, '').replace(/\s+/g, ' ').trim();
  return LOOKS_LIKE_SOURCE.test(plain) || !plain.includes(' ') ? null : plain.slice(0, LONGEST);
};

/**
 * What an error of ONNX Runtime means, as the end of a sentence for the user: without the names of its source files and
 * functions. Null where it says nothing else; the raw text belongs into the log.
 */
export const runtimeProblem = (message: string): string | null => {
  const [, operator, node, status] = RUNNING.exec(message) ?? [];
  if (operator === undefined || status === undefined) return sentenceOf(message);
  const where = node === '' ? `the operator ${operator}` : `the operator ${operator} (${node})`;
  const problem = sentenceOf(status);
  return problem === null ? `${where} failed` : `${where} failed: ${problem}`;
};
