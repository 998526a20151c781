#!/bin/sh
# From a fresh Debian to the example site behind nginx, on port 80. As root:
#
#     sh examples/site/deploy/nginx/install.sh
#
# Run again, it brings what has changed. TSGI_PACKAGE=./tsgi-0.1.0.tgz installs tsgi from a file (npm pack).
set -eu
deploy=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$deploy/common.sh"

[ "$(id -u)" = 0 ] || fail 'this installs packages and a service: run it as root'
export DEBIAN_FRONTEND=noninteractive
step 'nginx'
apt-get -qq update
apt-get -qq -y --no-install-recommends install nginx
install_node
install_site
start_site

step 'site of nginx: /etc/nginx/sites-available/site'
rm -rf /etc/nginx/tsgi
cp -R "$target/node_modules/tsgi/nginx" /etc/nginx/tsgi
install -m 0644 /etc/nginx/tsgi/app.conf /etc/nginx/sites-available/site
ln -sf ../sites-available/site /etc/nginx/sites-enabled/site
rm -f /etc/nginx/sites-enabled/default
nginx -t -q
systemctl enable --quiet nginx
systemctl reload-or-restart nginx
step 'done: http://localhost/'
