# syntax=docker/dockerfile:1
# docker build -f deploy/docker/controller.Dockerfile -t nodeleaf-controller .
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
RUN hack/build controller cli

FROM gcr.io/distroless/nodejs24-debian13:nonroot
COPY --from=build /src/dist /opt/nodeleaf
USER 65532:65532
EXPOSE 7443 9443 8080
# What thousands of connections cost (docs/performance.md): large buffers have pages of their own, which go back to the
# system as they were never touched or are freed, and there is little garbage at a time. No source maps: they take tens of MiB
# from the first error on, and the bundle keeps its names. More than 10,000 nodes need more of a heap than 384 MiB.
ENV NODE_ENV=production \
    NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=384" \
    MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=20480 \
    MALLOC_TOP_PAD_=16384 \
    MALLOC_TRIM_THRESHOLD_=65536
ENTRYPOINT ["/nodejs/bin/node", "/opt/nodeleaf/nodeleaf-controller.mjs"]
