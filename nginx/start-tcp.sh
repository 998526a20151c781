#!/bin/sh
# Starts nginx in a container with replicas-tcp.conf, in the form that this nginx understands.
set -eu
site=/etc/nginx/conf.d/default.conf
version=$(nginx -v 2>&1 | sed 's|.*nginx/||; s| .*||')
oldest=$(printf '%s\n1.27.3\n' "$version" | sort -V | head -n 1)
if [ "$oldest" = 1.27.3 ]; then
    sed 's|; *# resolve$| resolve;|' /etc/nginx/tsgi/replicas-tcp.conf > "$site"
else
    echo "nginx $version asks for the addresses of the application once: reload it after scaling"
    sed '/^ *resolver /d' /etc/nginx/tsgi/replicas-tcp.conf > "$site"
fi
exec nginx -g 'daemon off;'
