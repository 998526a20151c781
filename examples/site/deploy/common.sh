# What both deployments have in common. Read by nginx/install.sh and apache/install.sh, which run as root.

package=${TSGI_PACKAGE:-tsgi}
site=$(CDPATH='' cd -- "$deploy/.." && pwd)
target=/srv/app

step() {
    printf '==> %s\n' "$1"
}

fail() {
    printf 'deploy: %s\n' "$1" >&2
    exit 1
}

node_is_new_enough() {
    command -v node > /dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number)
        process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'
}

# Debian 13 and later have a Node that is new enough; one that is there already is taken as it is.
install_node() {
    if node_is_new_enough && command -v npm > /dev/null; then return; fi
    step 'Node and npm'
    apt-get -qq -y --no-install-recommends install nodejs npm
    node_is_new_enough || fail "Debian's Node is $(node --version), and tsgi needs 20.19: install Node 24 first, then run this again"
}

# Code belongs to root: the site cannot change itself. The user of the site owns the key and nothing else.
install_site() {
    step "user site, files in $target"
    id site > /dev/null 2>&1 || useradd --system --no-create-home --home-dir "$target" --shell /usr/sbin/nologin site
    install -d -m 0755 "$target"
    cp -R "$site"/*.ts "$site/package.json" "$site/public" "$target/"
    chown -R root:root "$target"
    chmod -R u=rwX,go=rX "$target"
    npm install --silent --no-audit --no-fund --omit=dev --prefix "$target" "$package"

    install -d -m 0750 -o site -g root /etc/site
    if [ ! -e /etc/site/session.key ]; then
        step 'a new key for the cookies: /etc/site/session.key'
        (umask 077 && node -p 'crypto.randomBytes(32).toString("hex")' > /etc/site/session.key)
    fi
    chown site:root /etc/site/session.key
    chmod 0400 /etc/site/session.key
}

# The first start is when mistakes show: in the journal, and here.
start_site() {
    step 'systemd unit site.service'
    install -m 0644 "$deploy/site.service" /etc/systemd/system/site.service
    systemctl daemon-reload
    systemctl enable --quiet site
    systemctl restart site || true
    count=0
    until "$target/node_modules/.bin/tsgi" request --uwsgi /run/tsgi/app.sock /health --timeout 2 > /dev/null 2>&1; do
        count=$((count + 1))
        if [ "$count" -ge 60 ] || systemctl is-failed --quiet site; then
            journalctl --no-pager --lines 20 --unit site >&2 || true
            fail 'the site does not answer: see above'
        fi
        sleep 0.5
    done
}
