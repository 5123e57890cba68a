{{- define "budapp.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is appended: -processes, -app-api-token. */}}
{{- define "budapp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "budapp.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "budapp.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "budapp.selectorLabels" -}}
app.kubernetes.io/name: {{ include "budapp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "budapp.labels" -}}
{{ include "budapp.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "budapp.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "budapp.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "budapp.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- printf "%s:%s%s" .Values.image.repository $tag (ternary "-evaluation" "" .Values.evaluation.enabled) -}}
{{- end -}}

{{/* The names of what is given in budapp.env, as a YAML list. */}}
{{- define "budapp.ownEnvNames" -}}
{{- $names := list -}}
{{- range .Values.budapp.env }}{{ $names = append $names .name }}{{ end -}}
{{- toYaml $names -}}
{{- end -}}

{{- define "budapp.publicUrl" -}}
{{- if .Values.budapp.publicUrl -}}
{{- .Values.budapp.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tls))) (first .Values.ingress.hosts).host -}}
{{- else if .Values.evaluation.enabled -}}
http://localhost:9081
{{- else -}}
{{- printf "http://%s.%s.svc:%v" (include "budapp.fullname" .) .Release.Namespace .Values.service.port -}}
{{- end -}}
{{- end -}}
