{{/* The name of everything: the release's, and the chart's unless the release has it already. */}}
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

{{- define "nextcloud-mcp.image" -}}
{{- with .Values.image -}}
{{- .repository -}}{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The parts of a URL. Not by urlParse, whose errors would come before the sentence about a wrong one (_checks.tpl). */}}
{{- define "nextcloud-mcp.authority" -}}
{{- regexFind "^https?://[^/?#]*" . | trimPrefix "https://" | trimPrefix "http://" -}}
{{- end }}

{{- define "nextcloud-mcp.host" -}}
{{- regexReplaceAll ":[0-9]+$" (include "nextcloud-mcp.authority" .) "" -}}
{{- end }}

{{- define "nextcloud-mcp.path" -}}
{{- regexReplaceAll "^https?://[^/]*" . "" | trimSuffix "/" -}}
{{- end }}

{{/* How many replicas to ask for; empty where that is the autoscaler's alone to say.

     Whoever leaves `replicas` out of a manifest in which it stood gives it up, and the number falls to the default of
     one. So while Helm is the only one who has set the number, it stays in the manifest: `minReplicas` at first, later
     what is there. Once the autoscaler has set it (through the subresource `scale`), leaving it out loses nothing, and
     naming it would only invite conflicts. Client-side upgrades (Helm 3) know of no owners: with those it always stays.

     Where there is no cluster to look at (`helm template`, and what builds on it, as Argo CD does), it is left out: a
     number in such a manifest would be applied again and again, against the autoscaler. */}}
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
