{{/* The name of all objects: the release's name and, unless it contains it already, the chart's name. */}}
{{- define "nextcloud-mcp.fullname" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- $name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "nextcloud-mcp.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nextcloud-mcp.labels" -}}
{{ include "nextcloud-mcp.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels of the janitor's pods, which the selector above must not select. */}}
{{- define "nextcloud-mcp.janitor" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-janitor
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nextcloud-mcp.image" -}}
{{- with .Values.image -}}
{{- .repository -}}{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The parts of a URL. urlParse would fail on a wrong URL before _checks.tpl can print its error message. */}}
{{- define "nextcloud-mcp.authority" -}}
{{- regexFind "^https?://[^/?#]*" . | trimPrefix "https://" | trimPrefix "http://" -}}
{{- end }}

{{- define "nextcloud-mcp.host" -}}
{{- regexReplaceAll ":[0-9]+$" (include "nextcloud-mcp.authority" .) "" -}}
{{- end }}

{{- define "nextcloud-mcp.path" -}}
{{- regexReplaceAll "^https?://[^/]*" . "" | trimSuffix "/" -}}
{{- end }}

{{/* The number of replicas; empty if only the autoscaler may set it.

     If a manifest no longer contains `replicas`, Helm gives up the field, and the number falls to the default of one. So
     while only Helm has set the number, it stays in the manifest: `minReplicas` at first, later the current number. Once
     the autoscaler has set it (through the subresource `scale`), the manifest can omit it without loss, and including it
     would cause conflicts. Client-side upgrades (Helm 3) do not track owners, so with them the number always stays.

     Without a cluster (`helm template`, and tools based on it, such as Argo CD), the number is omitted: such a tool would
     apply it again and again, against the autoscaler. */}}
{{- define "nextcloud-mcp.replicas" -}}
{{- if not .Values.autoscaling.enabled -}}
{{- .Values.replicas -}}
{{- else if $cluster := lookup "apps/v1" "Deployment" .Release.Namespace "" -}}
{{- $replicas := int .Values.autoscaling.minReplicas -}}
{{- $scaled := false -}}
{{- $clientSide := hasPrefix "v3" .Capabilities.HelmVersion.Version -}}
{{- range $cluster.items -}}
{{- if eq .metadata.name (include "nextcloud-mcp.fullname" $) -}}
{{- $replicas = max $replicas (int .spec.replicas) -}}
{{- range .metadata.managedFields -}}
{{- $fields := dig "fieldsV1" "f:spec" dict . -}}
{{- if and (eq (.subresource | default "") "scale") (hasKey $fields "f:replicas") -}}{{- $scaled = true -}}{{- end -}}
{{- if and (eq .operation "Update") (hasKey $fields "f:selector") -}}{{- $clientSide = true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if or $clientSide (not $scaled) -}}{{- $replicas -}}{{- end -}}
{{- end -}}
{{- end }}
