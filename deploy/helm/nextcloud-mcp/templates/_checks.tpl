{{/* Checks with readable messages. For a pattern in the schema, Helm prints only the pattern. Here each wrong value gets a
     sentence that says what is wrong and what would be right. All sentences are printed at once. */}}
{{- define "nextcloud-mcp.checks" -}}
{{- $problems := concat
      (include "nextcloud-mcp.checks.urls" . | fromJsonArray)
      (include "nextcloud-mcp.checks.words" . | fromJsonArray)
      (include "nextcloud-mcp.checks.quantities" . | fromJsonArray)
      (include "nextcloud-mcp.checks.together" . | fromJsonArray) -}}
{{- with $problems -}}
{{- printf "\n\n%s\n" (join "\n" .) | fail -}}
{{- end -}}
{{- end }}

{{/* Checks any URL: returns the end of a sentence that says what is wrong, or nothing. */}}
{{- define "nextcloud-mcp.checks.url" -}}
{{- $authority := regexFind "^https?://[^/?#]*" . -}}
{{- if regexMatch "\\s" . -}}
must not contain spaces or line breaks
{{- else if not $authority -}}
must begin with https:// or http://
{{- else if contains "@" $authority -}}
must not contain a user name or a password
{{- else if contains "?" . -}}
must not have a query ('?…')
{{- else if contains "#" . -}}
must not have a fragment ('#…')
{{- else if not (regexMatch "^https?://([^:\\[\\]]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]+)?$" $authority) -}}
must have a host name and, if there is a port, its number after ':'
{{- else if regexMatch ":(0+|[0-9]{6,}|[7-9][0-9]{4}|6[6-9][0-9]{3})$" $authority -}}
must have a port between 1 and 65535
{{- end -}}
{{- end }}

{{- define "nextcloud-mcp.checks.urls" -}}
{{- $problems := list -}}
{{- with .Values.server -}}
{{- $examples := dict "url" "https://mcp.example.org/mcp" "nextcloudUrl" "https://cloud.example.org"
      "discoveryUrl" "https://id.example.org/realms/nextcloud-mcp/.well-known/openid-configuration" -}}
{{- range $name, $example := $examples -}}
{{- $url := get $.Values.server $name -}}
{{- $problem := include "nextcloud-mcp.checks.url" $url -}}
{{- if and (not $problem) (eq $name "url") (not (regexMatch "^(https://|http://(localhost|127[.]0[.]0[.]1)([:/]|$))" $url)) -}}
{{- $problem = "must begin with https://, for tokens are sent to it (http:// is for localhost alone)" -}}
{{- else if and (not $problem) (eq $name "discoveryUrl") (not (hasSuffix "/.well-known/openid-configuration" $url)) -}}
{{- $problem = "must be the address of the realm's discovery document, which ends in /.well-known/openid-configuration" -}}
{{- end -}}
{{- if $problem -}}
{{- $problems = append $problems (printf "server.%s %s: it is '%s', and should look like %s" $name $problem $url $example) -}}
{{- end -}}
{{- end -}}
{{- range .allowedOrigins -}}
{{- $problem := include "nextcloud-mcp.checks.url" . -}}
{{- if and (not $problem) (not (regexMatch "^https?://[^/]+$" .)) -}}
{{- $problem = "must not have a path" -}}
{{- end -}}
{{- if $problem -}}
{{- $problems = append $problems (printf "server.allowedOrigins %s: one of them is '%s', and should look like https://app.example.org" $problem .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}

{{/* Values that must match a pattern. Each row has the name, the values, the pattern, and its description. */}}
{{- define "nextcloud-mcp.checks.words" -}}
{{- $name := "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$" -}}
{{- $key := "^[-._a-zA-Z0-9]{1,253}$" -}}
{{- $kubernetesName := "must be the name of a %s: lower-case letters, digits, '-' and '.'" -}}
{{- $rows := list -}}
{{- with .Values -}}
{{- $component := "[a-z0-9]+([._-]+[a-z0-9]+)*" -}}
{{- $rows = list
      (list "image.repository" (list .image.repository) (printf "^([a-zA-Z0-9.-]+(:[0-9]+)?/)?%s(/%s)*$" $component $component)
        "must be an image's name in lower case, without a tag, such as registry.example.org/nextcloud-mcp")
      (list "image.tag" (list .image.tag) "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"
        "must be a tag: letters, digits, '_', '.' and '-'")
      (list "image.digest" (list .image.digest) "^(sha256:[0-9a-f]{64})?$"
        "must be 'sha256:' and 64 hexadecimal digits")
      (list "image.pullSecrets" .image.pullSecrets $name (printf $kubernetesName "Secret"))
      (list "server.nextcloudAudience" (list .server.nextcloudAudience) "^.+$"
        "must be the client id of Nextcloud's user_oidc provider")
      (list "server.firstScopes" .server.firstScopes "^[a-z]+:(read|write)$"
        "must be scopes of tools, such as files:read or notes:write")
      (list "server.apps" .server.apps "^[a-z]+$" "must be apps as their scopes name them, such as files or notes")
      (list "exchange.secretName" (list .exchange.secretName) $name (printf $kubernetesName "Secret"))
      (list "exchange.secretKey" (list .exchange.secretKey) $key
        "must be a key of the Secret: letters, digits, '-', '_' and '.'")
      (list "trustedCA.configMapName" (list .trustedCA.configMapName) $name (printf $kubernetesName "ConfigMap"))
      (list "trustedCA.key" (list .trustedCA.key) $key "must be a key of the ConfigMap: letters, digits, '-', '_' and '.'")
      (list "metrics.serviceMonitor.interval" (list .metrics.serviceMonitor.interval) "^([0-9]+(ms|s|m|h))+$"
        "must be a time with its unit, such as 30s")
      (list "ingress.className" (list .ingress.className) $name (printf $kubernetesName "IngressClass"))
      (list "ingress.tlsSecretName" (list .ingress.tlsSecretName) $name (printf $kubernetesName "Secret")) -}}
{{- end -}}
{{- $problems := list -}}
{{- range $rows -}}
{{- $row := . -}}
{{- range index $row 1 -}}
{{- if not (regexMatch (index $row 2) (. | default "" | toString)) -}}
{{- $problems = append $problems (printf "%s %s: not '%v'" (index $row 0) (index $row 3) .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}

{{/* Kubernetes' grammar of quantities (apimachinery, pkg/api/resource), without a minus sign. */}}
{{- define "nextcloud-mcp.checks.quantities" -}}
{{- $problems := list -}}
{{- range $kind, $quantities := .Values.resources -}}
{{- range $resource, $quantity := $quantities -}}
{{- if not (regexMatch "^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$" (toString $quantity)) -}}
{{- $problems = append $problems (printf "resources.%s.%s must be a quantity of Kubernetes, such as 500m or 2 (cpu), 256Mi or 1Gi (memory): not '%v'" $kind $resource $quantity) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}

{{/* Values that are valid alone, but not together. */}}
{{- define "nextcloud-mcp.checks.together" -}}
{{- $problems := list -}}
{{- if and .Values.exchange.enabled (not .Values.exchange.secretName) -}}
{{- $problems = append $problems "exchange.secretName must name the Secret that holds the server's secret or key." -}}
{{- end -}}
{{- range list "journey" "connections" -}}
{{- if and (index $.Values.pages .) (not $.Values.ingress.wholeHost) -}}
{{- $problems = append $problems (printf "pages.%s needs a host that no other server shares, because every page of the host could sign people in as this page does: set ingress.wholeHost=true, or pages.%s=false." . .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (lt (int .maxReplicas) (int .minReplicas)) -}}
{{- $problems = append $problems "autoscaling.maxReplicas is less than autoscaling.minReplicas: raise the one or lower the other." -}}
{{- end -}}
{{- end -}}
{{- with .Values.metrics -}}
{{- if and .serviceMonitor.enabled (not .enabled) -}}
{{- $problems = append $problems "metrics.serviceMonitor.enabled is true and metrics.enabled is not: there is nothing to scrape." -}}
{{- end -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled (not .from) -}}
{{- $problems = append $problems "networkPolicy.from must be set: it names who may call the server, and nobody else reaches it." -}}
{{- end -}}
{{- if and .enabled (not .egress) -}}
{{- $problems = append $problems (printf "networkPolicy.egress must be set: it names the ports at which the server reaches Keycloak and Nextcloud, and all others stay closed (server.discoveryUrl is '%s', server.nextcloudUrl is '%s')." $.Values.server.discoveryUrl $.Values.server.nextcloudUrl) -}}
{{- end -}}
{{- if and .enabled (not (and .from .egress)) -}}
{{- $problems = append $problems `
For example:

  networkPolicy:
    from: # the ingress controller
      - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ingress-nginx } }
    egress:
      - ports: [{ port: 443 }] # a public name: any address
      - to: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: NAMESPACE } } }]
        ports: [{ port: 8080 }] # in the cluster: the pods' own port (kubectl get endpointslices -A shows it)

or do without a policy: networkPolicy.enabled=false.` -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end }}
