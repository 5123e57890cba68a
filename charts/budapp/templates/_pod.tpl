{{- define "budapp.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
# The embedded Postgres refuses data that its group may write: later starts must leave the volume as it is.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "budapp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Sidecar of one role that calls others. Only the API has an app port: messages and calls for BudApp go there. */}}
{{- define "budapp.daprAnnotations" -}}
{{- $root := .root -}}
{{- with $root.Values.dapr }}
dapr.io/enabled: "true"
dapr.io/app-id: {{ ternary .appId (printf "%s-%s" .appId $.role) (eq $.role "api") | quote }}
{{- if eq $.role "api" }}
dapr.io/app-port: "9081"
# Nothing is delivered before BudApp can take it, nor while it stops.
dapr.io/enable-app-health-check: "true"
dapr.io/app-health-check-path: /health
{{- end }}
dapr.io/app-token-secret: {{ include "budapp.appTokenSecret" $root | quote }}
{{- with include "budapp.apiTokenSecret" $root }}
dapr.io/api-token-secret: {{ . | quote }}
{{- end }}
{{- with .config }}
dapr.io/config: {{ . | quote }}
{{- end }}
# That store asks the API server, for which pods have no token: the sidecar would end at its start. Components get their
# secrets from Dapr's operator.
dapr.io/disable-builtin-k8s-secret-store: "true"
# Calls under way may end: the sidecar stays until BudApp has stopped.
dapr.io/block-shutdown-duration: 25s
{{- /* Without a request of every container, an autoscaler cannot say how much of it a pod uses. */}}
{{- with mergeOverwrite (dict "dapr.io/sidecar-cpu-request" "100m" "dapr.io/sidecar-memory-request" "128Mi") .annotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What all containers of BudApp have. Takes root, role (all, api, projector, processes) and resources. */}}
{{- define "budapp.container" -}}
{{- $root := .root -}}
name: budapp
image: {{ include "budapp.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "budapp.containerSecurity" $root | nindent 2 }}
ports:
  - name: http
    containerPort: 9081
envFrom:
  - configMapRef:
      name: {{ include "budapp.fullname" $root }}
env:
  - name: ROLES
    value: {{ .role }}
  {{- include "budapp.env" (dict "root" $root "tokens" true) | trim | nindent 2 }}
# `/health` answers 503 until the start is over, which waits for systems that do not answer yet.
startupProbe:
  httpGet: { path: /health, port: http }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: {{ add 60 (div (int $root.Values.budapp.startTimeoutSeconds) 3) }}
livenessProbe:
  httpGet: { path: /health, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Not `/health/ready`: where a system that all pods share is down, no pod would be left to say so with 503 and
# Retry-After, and to serve what works without it.
readinessProbe:
  httpGet: { path: /health, port: http }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
lifecycle:
  preStop:
    exec:
      # Until nobody sends new requests here any more.
      command: [sleep, "5"]
resources:
  {{- toYaml .resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: data
    mountPath: /data
  {{- with $root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What all pods have, besides their containers. */}}
{{- define "budapp.podSettings" -}}
serviceAccountName: {{ include "budapp.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "budapp.podSecurity" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "budapp.podAnnotations" -}}
checksum/settings: {{ include "budapp.settings" . | sha256sum }}
checksum/secrets: {{ printf "%s%s%s" (include "budapp.secrets" .) .Values.appApiToken .Values.dapr.apiToken | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}
