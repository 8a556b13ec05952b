# syntax=docker/dockerfile:1
# docker build -f deploy/docker/agent.Dockerfile --target agent -t nodeleaf-agent .
# docker build -f deploy/docker/agent.Dockerfile --target agent-frr -t nodeleaf-agent-frr .    for --frr managed
FROM node:24-trixie-slim AS build
# Versions are those of the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN hack/build agent cli

FROM debian:trixie-slim AS agent
# ip, nsenter, unshare and mount; libstdc++ is Node's.
# Versions are those of the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends iproute2 libstdc++6 mount util-linux \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/dist /opt/nodeleaf
COPY deploy/docker/agent/ /usr/local/bin/
RUN ln -s /opt/nodeleaf/nodeleaf.mjs /usr/local/bin/nodeleaf \
    && ln -s /opt/nodeleaf/nodeleaf-agent.mjs /usr/local/bin/nodeleaf-agent
# One thread for V8 beside its own will do: each more costs memory and CPU time.
ENV NODE_ENV=production \
    NODE_OPTIONS=--v8-pool-size=1
ENTRYPOINT ["/usr/local/bin/entrypoint"]

FROM agent AS agent-frr
# Versions are those of the base image's release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends frr \
    && rm -rf /var/lib/apt/lists/*

# Without --target: the agent alone.
FROM agent
