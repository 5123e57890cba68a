/** The instance of a process manager: its primary key in every table of the engine. */
export interface InstanceKey {
  /** The name of the process manager. */
  process: string;
  instance_id: string;
}
