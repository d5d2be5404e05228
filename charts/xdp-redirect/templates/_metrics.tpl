{{/* What PodMonitors and ServiceMonitors have in common. */}}

{{/* Labels of a monitor; those that are given count more. Takes a dict of root and given. */}}
{{- define "xdp-redirect.monitorLabels" -}}
{{- toYaml (merge (dict) .given (fromYaml (include "xdp-redirect.labels" .root))) }}
{{- end }}

{{/* How an endpoint is scraped. Takes the values of the monitor. */}}
{{- define "xdp-redirect.scraped" -}}
path: /metrics
interval: {{ .interval }}
relabelings:
  # Agents count by node, and their pods' names tell nobody which.
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
{{- end }}
