/** Everything that was opened can be closed; a second close does nothing. */
export interface Closable {
  close(): Promise<void>;
}
