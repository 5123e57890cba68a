/** What proofs are kept of. */
export interface ProofSubject {
  area: 'cluster' | 'endpoint';
  id: string;
}

export interface Proof extends ProofSubject {
  /** When it was made, RFC 3339. */
  at: string;
  /** Milliseconds since then, by the same clock; negative where that clock was set back. */
  age_ms: number;
  /** The number of proofs so far. */
  count: string;
}

/** When a cluster service last proved what it says of a cluster or an endpoint, as all processes know it. */
export interface Proofs {
  record(subjects: readonly ProofSubject[]): Promise<void>;
  /** The time of the last one; null where there was none. */
  find(subject: ProofSubject): Promise<string | null>;
  list(): Promise<readonly Proof[]>;
  forget(subjects: readonly ProofSubject[]): Promise<void>;
}
