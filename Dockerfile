# tsgi in a container: no package manager, no root, nothing that has to be written.
#
#     docker build --target tsgi -t tsgi .
#
# An application of your own needs three lines (the last stage below is such an application):
#
#     FROM tsgi
#     COPY . /srv/app
#     CMD ["serve", "app.ts"]
#
# and listeners, as flags of CMD or as variables: TSGI_UWSGI=/run/tsgi/app.sock.

ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run --silent build && find dist -name '*.map' -delete && chmod 755 dist/cli/main.js

FROM ${NODE_IMAGE} AS dependencies
# What an application leaves behind when it starts processes of its own is reaped by the first process of a container.
RUN apt-get -qq update && apt-get -qq -y --no-install-recommends install tini && rm -rf /var/lib/apt/lists/*
WORKDIR /dependencies
COPY package.json package-lock.json .npmrc ./
# What only editors and debuggers read stays behind.
RUN npm ci --omit=dev --no-audit --no-fund \
    && find node_modules -type f \( -name '*.map' -o -name '*.md' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM ${NODE_IMAGE} AS tsgi
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /opt/yarn-* /usr/local/share/doc /usr/local/share/man \
        /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
        /usr/bin/apt* /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/apt /usr/lib/dpkg /etc/apt /var/lib/apt /var/lib/dpkg /var/cache/apt
COPY --from=dependencies /usr/bin/tini-static /usr/local/bin/tini
COPY --from=dependencies /dependencies/node_modules /srv/node_modules/tsgi/node_modules
# Where applications in /srv/app find it: import { dispatch } from 'tsgi'.
COPY package.json LICENSE /srv/node_modules/tsgi/
COPY nginx /srv/node_modules/tsgi/nginx
COPY apache /srv/node_modules/tsgi/apache
COPY --from=build /build/dist /srv/node_modules/tsgi/dist
RUN ln -s /srv/node_modules/tsgi/dist/cli/main.js /usr/local/bin/tsgi && mkdir -p /srv/app /run/tsgi && chown 1000:1000 /run/tsgi
ENV NODE_ENV=production HEALTH_PATH=/
WORKDIR /srv/app
# "node" in the official image; a number, so that it can be seen not to be root.
USER 1000:1000
ENTRYPOINT ["tini", "--", "tsgi"]
CMD ["serve"]
# Finds the socket where `tsgi serve` found it: in TSGI_UWSGI and the like, or in tsgi.config.ts. The first question comes one
# interval after the start, and a front server that waits for the answer waits for it; ill is who gave none for 15 s.
HEALTHCHECK --interval=3s --timeout=5s --start-period=60s --retries=5 \
    CMD tsgi request "$HEALTH_PATH" --timeout 4 > /dev/null

FROM tsgi AS site
ARG SITE_VERSION=1
ENV SITE_VERSION=${SITE_VERSION} HEALTH_PATH=/health
COPY examples/site /srv/app
CMD ["serve", "app.ts"]
