{{/* The agent's container but for its name and probes: (dict "root" $ "command" "run"|"uninstall"). */}}
{{- define "nodeleaf.agentContainer" -}}
{{- $agent := .root.Values.agent }}
{{- $frr := .root.Values.frr }}
image: {{ include "nodeleaf.image" (dict "root" .root "image" $agent.image) }}
imagePullPolicy: {{ $agent.image.pullPolicy }}
args:
  - {{ .command }}
  - --node=$(NODE_NAME)
  - --controller={{ include "nodeleaf.host" .root }}:7443
  - --controller-ca=/etc/nodeleaf/ca/ca.crt
  - --token-file=/var/run/secrets/nodeleaf/token
  - --config-dir={{ $agent.configDir }}
  - --state-dir={{ $agent.stateDir }}
  - --run-dir=/run/nodeleaf
  - --netns={{ $agent.netns }}
  - --datapath={{ $agent.datapath }}
  - --frr={{ $frr.mode }}
  - --frr-name={{ $agent.netns }}
  {{- if eq $frr.mode "external" }}
  - --frr-sockets=/run/frr/{{ $agent.netns }}
  {{- end }}
  - --health={{ if contains ":" $agent.health.address }}[{{ $agent.health.address }}]{{ else }}{{ $agent.health.address }}{{ end }}:{{ $agent.health.port }}
  - --log-format={{ .root.Values.logFormat }}
  - --log-level={{ $agent.logLevel | default .root.Values.logLevel }}
  {{- with $agent.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  {{- with $agent.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  {{- if $agent.privileged }}
  privileged: true
  readOnlyRootFilesystem: true
  runAsUser: 0
  {{- else }}
  {{- $capabilities := $agent.capabilities }}
  {{- if eq $frr.mode "managed" }}
  {{- $capabilities = concat $agent.capabilities $frr.capabilities $frr.managedCapabilities | uniq }}
  {{- end }}
  {{- include "nodeleaf.confined" (dict "capabilities" $capabilities "seLinux" $agent.seLinuxOptions) | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml $agent.resources | nindent 2 }}
volumeMounts:
  - name: token
    mountPath: /var/run/secrets/nodeleaf
    readOnly: true
  - name: ca
    mountPath: /etc/nodeleaf/ca
    readOnly: true
  - name: config
    mountPath: {{ $agent.configDir }}
    readOnly: true
  - name: state
    mountPath: {{ $agent.stateDir }}
  - name: run
    mountPath: /run/nodeleaf
  - name: netns
    mountPath: /run/netns
    mountPropagation: {{ ternary "Bidirectional" "HostToContainer" $agent.privileged }}
  - name: frr-sockets
    mountPath: /run/frr/{{ $agent.netns }}
  - name: tmp
    mountPath: /tmp
  {{- if eq $frr.mode "managed" }}
  - name: frr-etc
    mountPath: /etc/frr
  - name: tmp
    mountPath: /var/tmp
  - name: frr-lib
    mountPath: /var/lib/frr
  {{- end }}
{{- end }}
