{{/* What is no secret, as a YAML map. */}}
{{- define "budapp.settings" -}}
NODE_ENV: production
HOST: 0.0.0.0
PORT: "9081"
DATA_DIR: /data
PUBLIC_URL: {{ include "budapp.publicUrl" . | quote }}
START_TIMEOUT_SECONDS: {{ .Values.budapp.startTimeoutSeconds | quote }}
{{- if .Values.evaluation.enabled }}
ALLOW_STAND_INS: "true"
ADMIN_EMAIL: {{ .Values.evaluation.adminEmail | quote }}
{{- else }}
{{- with .Values.postgres }}
POSTGRES_HOST: {{ .host | quote }}
POSTGRES_PORT: {{ .port | quote }}
POSTGRES_USER: {{ .user | quote }}
POSTGRES_DB: {{ .database | quote }}
POSTGRES_SSL: {{ .ssl | quote }}
{{- end }}
{{- with .Values.minio }}
MINIO_ENDPOINT: {{ .endpoint | quote }}
MINIO_SECURE: {{ .secure | quote }}
MINIO_BUCKET_NAME: {{ .bucket | quote }}
{{- end }}
{{- with .Values.keycloak }}
KEYCLOAK_URL: {{ .url | quote }}
KEYCLOAK_REALM: {{ .realm | quote }}
KEYCLOAK_CLIENT_ID: {{ .clientId | quote }}
{{- if .publicUrl }}
KEYCLOAK_PUBLIC_URL: {{ .publicUrl | quote }}
{{- end }}
{{- if .allowHttp }}
KEYCLOAK_ALLOW_HTTP: "true"
{{- end }}
{{- end }}
{{- if .Values.dapr.enabled }}
DAPR_HTTP_PORT: "3500"
DAPR_GRPC_PORT: "50001"
DAPR_PUBSUB_NAME: {{ .Values.dapr.pubsubName | quote }}
DAPR_STATE_STORE_NAME: {{ .Values.dapr.stateStoreName | quote }}
{{- end }}
{{- range $service, $url := .Values.services }}
{{- if $url }}
{{ upper $service }}_SERVICE_URL: {{ $url | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Setting by setting, what goes into the Secret of this release: a YAML map, without what is empty. */}}
{{- define "budapp.secrets" -}}
{{- $given := dict -}}
{{- if .Values.evaluation.enabled -}}
{{- $_ := set $given "ADMIN_PASSWORD" .Values.evaluation.adminPassword -}}
{{- else -}}
{{- $_ := set $given "MASTER_KEY" .Values.masterKey -}}
{{- $_ := set $given "POSTGRES_PASSWORD" .Values.postgres.password -}}
{{- $_ := set $given "EVENTSTORE_URL" .Values.eventstore.url -}}
{{- $_ := set $given "NATS_URL" .Values.nats.url -}}
{{- $_ := set $given "MINIO_ACCESS_KEY" .Values.minio.accessKey -}}
{{- $_ := set $given "MINIO_SECRET_KEY" .Values.minio.secretKey -}}
{{- $_ := set $given "KEYCLOAK_CLIENT_SECRET" .Values.keycloak.clientSecret -}}
{{- end -}}
{{- range $name, $value := $given }}
{{- if $value }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "budapp.secretName" -}}
{{- default (include "budapp.fullname" .) .Values.existingSecret -}}
{{- end -}}

{{/* The Secret with the key `token` that services show to BudApp; empty where existingSecret has it. */}}
{{- define "budapp.appTokenSecret" -}}
{{- if .Values.dapr.appTokenSecret -}}
{{- .Values.dapr.appTokenSecret -}}
{{- else if .Values.appApiToken -}}
{{- printf "%s-app-api-token" (include "budapp.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the key `token` that BudApp shows to its sidecar; empty where there is none. */}}
{{- define "budapp.apiTokenSecret" -}}
{{- if .Values.dapr.apiTokenSecret -}}
{{- .Values.dapr.apiTokenSecret -}}
{{- else if .Values.dapr.apiToken -}}
{{- printf "%s-dapr-api-token" (include "budapp.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "budapp.secretRef" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end -}}

{{/*
The secret settings as env entries, then budapp.env, which wins. Takes `root`; `secret`, where it is not the one of the
release; `tokens`, whether what services and sidecars show is among them.
*/}}
{{- define "budapp.env" -}}
{{- $root := .root -}}
{{- $own := include "budapp.ownEnvNames" $root | fromYamlArray -}}
{{- $secret := default (include "budapp.secretName" $root) .secret -}}
{{- $names := keys (include "budapp.secrets" $root | fromYaml) -}}
{{- $optional := ternary (list "EVENTSTORE_URL") list (not (empty $root.Values.existingSecret)) -}}
{{- if and $root.Values.existingSecret (not $root.Values.evaluation.enabled) -}}
{{- $names = concat (list "EVENTSTORE_URL" "KEYCLOAK_CLIENT_SECRET" "MASTER_KEY") (list "MINIO_ACCESS_KEY" "MINIO_SECRET_KEY" "NATS_URL" "POSTGRES_PASSWORD") -}}
{{- if and .tokens (not (include "budapp.appTokenSecret" $root)) -}}{{- $names = append $names "APP_API_TOKEN" -}}{{- end -}}
{{- end -}}
{{- range $name := sortAlpha $names }}
{{- if not (has $name $own) }}
{{ include "budapp.secretRef" (dict "name" $name "secret" $secret "key" $name "optional" (has $name $optional)) }}
{{- end }}
{{- end }}
{{- $tokens := dict -}}
{{- if and .tokens (not $root.Values.evaluation.enabled) -}}
{{- $_ := set $tokens "APP_API_TOKEN" (include "budapp.appTokenSecret" $root) -}}
{{- if $root.Values.dapr.enabled -}}{{- $_ := set $tokens "DAPR_API_TOKEN" (include "budapp.apiTokenSecret" $root) -}}{{- end -}}
{{- end -}}
{{- range $name, $tokenSecret := $tokens }}
{{- if and $tokenSecret (not (has $name $own)) }}
{{ include "budapp.secretRef" (dict "name" $name "secret" $tokenSecret "key" "token") }}
{{- end }}
{{- end }}
{{- with $root.Values.budapp.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}
