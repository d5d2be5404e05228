{{/*
Pods that run one command of the operator's image for a hook: before an uninstall, and for `helm
test`. They are there while they run, and so are their roles.
*/}}

{{/*
Metadata of an object of a hook. Takes a dict of root, name, hook, weight and cluster. What comes
before the pod has succeeded, so helm removes it whichever way the pod ends.
*/}}
{{- define "xdp-redirect.hookMetadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "xdp-redirect.labels" .root | nindent 2 }}
annotations:
  helm.sh/hook: {{ .hook }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded{{ with .gone }},{{ . }}{{ end }}
{{- end }}

{{/* Binds a role to the service account of the same name. Takes a dict of root, name and kind. */}}
{{- define "xdp-redirect.hookBinding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* The pod. Takes a dict of root, name and args. */}}
{{- define "xdp-redirect.hookPod" -}}
{{- $operator := .root.Values.operator -}}
serviceAccountName: {{ .name }}
restartPolicy: Never
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $operator.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "xdp-redirect.podSecurity" .root | nindent 2 }}
{{- with $operator.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $operator.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "xdp-redirect.image" (dict "root" .root "image" $operator.image) | quote }}
    imagePullPolicy: {{ $operator.image.pullPolicy }}
    command: [xdpredirect]
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      - name: POD_NAME
        valueFrom:
          fieldRef:
            fieldPath: metadata.name
    # Its last words are then in the pod's status, too.
    terminationMessagePolicy: FallbackToLogsOnError
    resources:
      {{- toYaml $operator.resources | nindent 6 }}
    securityContext:
      {{- include "xdp-redirect.containerSecurity" .root | nindent 6 }}
{{- end }}

{{/* Rules of a role of the operator. Takes a dict of root, kind and name. */}}
{{- define "xdp-redirect.operatorRules" -}}
{{- $wanted := . -}}
{{- range $text := splitList "\n---\n" (.root.Files.Get "files/rbac/operator.yaml") }}
{{- $object := fromYaml $text }}
{{- if and (eq $object.kind $wanted.kind) (eq $object.metadata.name $wanted.name) }}
{{- toYaml $object.rules }}
{{- end }}
{{- end }}
{{- end }}
