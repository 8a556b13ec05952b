{{/*
Labels of every object; call with (dict "root" $ "component" NAME "extra" MAP), or without a component for what belongs to all.
Ours go before the user's, since selectors need them; labels of one object before those of all.
*/}}
{{- define "nodeleaf.labels" -}}
{{- $own := include "nodeleaf.selector" . | fromYaml }}
{{- $own = merge $own (dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" "nodeleaf") }}
{{- merge $own (.extra | default dict) .root.Values.labels | toYaml }}
{{- end }}

{{/* Labels that select pods; they never change. */}}
{{- define "nodeleaf.selector" -}}
app.kubernetes.io/name: nodeleaf
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Labels of a pod: (dict "root" $ "component" NAME "extra" MAP). No versions: a new chart alone makes no new pods. */}}
{{- define "nodeleaf.podLabels" -}}
{{- merge (include "nodeleaf.selector" . | fromYaml) .extra .root.Values.labels | toYaml }}
{{- end }}

{{/* Annotations of a pod: (dict "container" NAME "extra" MAP) */}}
{{- define "nodeleaf.podAnnotations" -}}
{{- merge (deepCopy .extra) (dict "kubectl.kubernetes.io/default-container" .container) | toYaml }}
{{- end }}

{{/* (dict "root" $ "image" MAP) */}}
{{- define "nodeleaf.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* What is the same in every pod: call with the component's values and root. */}}
{{- define "nodeleaf.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A container with some capabilities and nothing more: (dict "capabilities" LIST "seLinux" MAP). */}}
{{- define "nodeleaf.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsUser: 0
capabilities:
  drop: [ALL]
  add:
    {{- toYaml .capabilities | nindent 4 }}
seccompProfile:
  type: RuntimeDefault
# AppArmor's profile for containers forbids mount, which takes the read-only mount off /proc/sys.
appArmorProfile:
  type: Unconfined
{{- with .seLinux }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Name under which agents and API servers reach the controller; its certificate has it. */}}
{{- define "nodeleaf.host" -}}
nodeleaf-controller.{{ .Release.Namespace }}.svc
{{- end }}
