#!/bin/sh
# From a fresh Debian to the example site behind Apache, on port 80. As root:
#
#     sh examples/site/deploy/apache/install.sh
#
# Run again, it brings what has changed. TSGI_PACKAGE=./tsgi-0.1.0.tgz installs tsgi from a file (npm pack).
set -eu
deploy=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$deploy/common.sh"

[ "$(id -u)" = 0 ] || fail 'this installs packages and a service: run it as root'
export DEBIAN_FRONTEND=noninteractive
step 'Apache'
apt-get -qq update
apt-get -qq -y --no-install-recommends install apache2
install_node
install_site
start_site

step 'site of Apache: /etc/apache2/sites-available/site.conf'
install -m 0644 "$target/node_modules/tsgi/apache/app-uwsgi.conf" /etc/apache2/sites-available/site.conf
a2enmod -q proxy proxy_uwsgi > /dev/null
a2dissite -q 000-default > /dev/null
a2ensite -q site > /dev/null
apache2ctl configtest > /dev/null 2>&1 || { apache2ctl configtest || true; fail "Apache does not accept the site"; }
systemctl enable --quiet apache2
systemctl reload-or-restart apache2
step 'done: http://localhost/'
