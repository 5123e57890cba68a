{{/*
Refuses values that cannot work, all problems at once, before anything is changed in the cluster. What is in a Secret made
elsewhere or in budapp.env counts as given.
*/}}
{{- define "budapp.check" -}}
{{- $problems := list -}}
{{- $own := include "budapp.ownEnvNames" . | fromYamlArray -}}
{{- $v := .Values -}}
{{- if $v.evaluation.enabled -}}
{{- range $value, $given := dict "postgres.host" $v.postgres.host "eventstore.url" $v.eventstore.url "nats.url" $v.nats.url "minio.endpoint" $v.minio.endpoint "keycloak.url" $v.keycloak.url "existingSecret" $v.existingSecret "dapr.enabled" $v.dapr.enabled -}}
{{- if $given -}}
{{- $problems = append $problems (printf "%s is set, but evaluation.enabled is true and would use a stand-in: set evaluation.enabled to false" $value) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $needed := list (list "postgres.host" "POSTGRES_HOST" $v.postgres.host) (list "minio.endpoint" "MINIO_ENDPOINT" $v.minio.endpoint) (list "keycloak.url" "KEYCLOAK_URL" $v.keycloak.url) -}}
{{- if not $v.existingSecret -}}
{{- $needed = concat $needed (list (list "masterKey" "MASTER_KEY" $v.masterKey) (list "postgres.password" "POSTGRES_PASSWORD" $v.postgres.password) (list "nats.url" "NATS_URL" $v.nats.url) (list "minio.accessKey" "MINIO_ACCESS_KEY" $v.minio.accessKey) (list "minio.secretKey" "MINIO_SECRET_KEY" $v.minio.secretKey) (list "keycloak.clientSecret" "KEYCLOAK_CLIENT_SECRET" $v.keycloak.clientSecret)) -}}
{{- $needed = append $needed (list "appApiToken" "APP_API_TOKEN" (include "budapp.appTokenSecret" .)) -}}
{{- end -}}
{{- if not $v.dapr.enabled -}}
{{- range $service, $url := $v.services -}}
{{- $needed = append $needed (list (printf "services.%s (or dapr.enabled)" $service) (printf "%s_SERVICE_URL" (upper $service)) $url) -}}
{{- end -}}
{{- end -}}
{{- range $needed -}}
{{- if not (or (index . 2) (has (index . 1) $own)) -}}
{{- $problems = append $problems (printf "%s is not set" (index . 0)) -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "http://" $v.keycloak.url) (not (or $v.keycloak.allowHttp (has "KEYCLOAK_ALLOW_HTTP" $own) (has "KEYCLOAK_URL" $own))) -}}
{{- $problems = append $problems "keycloak.url is plain http: where only a private network lies between, keycloak.allowHttp says so" -}}
{{- end -}}
{{- if and $v.dapr.enabled (not (include "budapp.appTokenSecret" .)) -}}
{{- $problems = append $problems "with dapr.enabled, the sidecars need appApiToken, or dapr.appTokenSecret: a Secret with the key token" -}}
{{- end -}}
{{- if and $v.dapr.components.create (not $v.dapr.components.redisHost) -}}
{{- $problems = append $problems "dapr.components.redisHost is not set" -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n\nThe values are not right:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}
