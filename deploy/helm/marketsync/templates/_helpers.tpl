{{- define "marketsync.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* RELEASE-marketsync, or RELEASE if that says marketsync already. */}}
{{- define "marketsync.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "marketsync.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "marketsync.selectorLabels" -}}
app.kubernetes.io/name: {{ include "marketsync.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "marketsync.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "marketsync.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "marketsync.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "marketsync.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image by digest, or else by tag. Takes a dict of `image` and `tag`. */}}
{{- define "marketsync.image" -}}
{{- if .image.digest }}
{{- printf "%s@%s" .image.repository .image.digest }}
{{- else }}
{{- printf "%s:%s" .image.repository (default .tag .image.tag) }}
{{- end }}
{{- end }}

{{/* The configuration file: `config`, and where git-sync puts the checkout. */}}
{{- define "marketsync.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if .Values.gitSync.enabled }}
{{- $_ := set $config "source" (printf "/git/current/%s" .Values.gitSync.subPath | trimSuffix "/") }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- define "marketsync.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end }}
