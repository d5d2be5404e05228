{{/*
What several templates need. Names of objects are fixed: the CRDs, and with them the product, are
there once in a cluster, and admission policies go by the names of service accounts.
*/}}

{{/* Labels of every object. Takes the root. */}}
{{- define "xdp-redirect.labels" -}}
app.kubernetes.io/part-of: xdp-redirect-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | quote }}
{{- end }}

{{/* Labels by which the operator's pods are selected. */}}
{{- define "xdp-redirect.operator" -}}
app.kubernetes.io/name: xdp-redirect-operator
app.kubernetes.io/component: operator
{{- end }}

{{/* Reference of an image. Takes a dict of root and image. */}}
{{- define "xdp-redirect.image" -}}
{{- $tag := .image.tag -}}
{{- if not (or $tag .image.digest) }}{{ $tag = .root.Chart.AppVersion }}{{ end -}}
{{ .image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* What the operator reads as --agents. Takes the root. */}}
{{- define "xdp-redirect.agents" -}}
{{- $agent := .Values.agent -}}
image: {{ include "xdp-redirect.image" (dict "root" . "image" $agent.image) }}
imagePullPolicy: {{ $agent.image.pullPolicy }}
priorityClassName: {{ $agent.priorityClassName | quote }}
updateStrategy:
  type: {{ $agent.updateStrategy.type }}
  {{- if eq $agent.updateStrategy.type "RollingUpdate" }}
  rollingUpdate:
    maxUnavailable: {{ $agent.updateStrategy.maxUnavailable }}
  {{- end }}
minReadySeconds: {{ $agent.updateStrategy.minReadySeconds }}
{{ $given := dict "resources" $agent.resources "tolerations" $agent.tolerations -}}
{{- $_ := set $given "podAnnotations" $agent.podAnnotations -}}
{{- $_ := set $given "env" $agent.env -}}
{{- $_ := set $given "imagePullSecrets" .Values.imagePullSecrets -}}
{{- if $agent.metrics.enabled }}{{ $_ := set $given "metricsPort" (int $agent.metrics.port) }}{{ end -}}
{{- if $agent.sockets.enabled }}{{ $_ := set $given "sockets" true }}{{ end -}}
{{- if $agent.sockets.claims }}{{ $_ := set $given "claims" true }}{{ end -}}
{{ toYaml $given }}
{{- end }}

{{/*
Objects out of files that are the same for helm and kustomize, with this release's labels and
namespace. Takes a dict of root, files (a glob) and annotations.
*/}}
{{- define "xdp-redirect.objects" -}}
{{- $root := .root -}}
{{- $annotations := .annotations -}}
{{- $labels := fromYaml (include "xdp-redirect.labels" $root) -}}
{{- range $path, $content := $root.Files.Glob .files }}
{{- range $text := splitList "\n---\n" (toString $content) }}
{{- $object := fromYaml $text }}
{{- $metadata := $object.metadata }}
{{- $_ := set $metadata "labels" (merge (dict) ($metadata.labels | default dict) $labels) }}
{{- with $annotations }}
{{- $_ := set $metadata "annotations" (merge (dict) ($metadata.annotations | default dict) .) }}
{{- end }}
{{- if eq ($metadata.namespace | default "") "xdp-redirect-system" }}
{{- $_ := set $metadata "namespace" $root.Release.Namespace }}
{{- end }}
{{- range $subject := $object.subjects }}
{{- $_ := set $subject "namespace" $root.Release.Namespace }}
{{- end }}
---
{{ toYaml $object }}
{{ end }}
{{- end }}
{{- end }}

{{/* Security of a pod of ours that needs nothing of its node. */}}
{{- define "xdp-redirect.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* The same, of its container. */}}
{{- define "xdp-redirect.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
