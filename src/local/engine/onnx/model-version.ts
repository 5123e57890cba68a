/** The one version that is served; a new artefact is a new deployment. */
export const MODEL_VERSION = '1';
