import type { PendingUploads, UploadedFile } from '../../../src/api/pending-uploads.ts';

/** All of them count as abandoned. */
export const memoryPending = (): PendingUploads => {
  const files = new Map<string, UploadedFile>();
  return {
    add: async (file) => void files.set(file.key, file),
    remove: async (key) => void files.delete(key),
    listAbandoned: async () => [...files.values()],
  };
};
