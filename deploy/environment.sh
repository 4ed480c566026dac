# What Ray has to find in its environment on every node before it starts. Sourced by the commands of cluster.yaml in the
# folder of the project, and by nothing else: in Kubernetes the same stands in deploy/kuberay/environment.yaml.
ulimit -n 65536 2>/dev/null || true
export RAY_SERVE_ENABLE_HA_PROXY=1
export RAY_SERVE_THROUGHPUT_OPTIMIZED=1
export RAY_SERVE_HAPROXY_METRICS_ENABLED=0
export RAY_SERVE_HAPROXY_BINARY_PATH="$PWD/.venv/haproxy"
export RAY_USAGE_STATS_ENABLED=0
# Ray runs its workers at a low priority, for batch work beside a desktop; here they are what clients wait for.
export RAY_worker_niceness=0
# What is noticed of a machine that vanished, and when; see `GONE` in commands/environment.py.
export RAY_health_check_period_ms=1000
export RAY_health_check_timeout_ms=3000
export RAY_grpc_client_keepalive_timeout_ms=10000
export RAY_SERVE_HAPROXY_TIMEOUT_CONNECT_S=2
export TOKENIZERS_PARALLELISM=false
# Keys, RAY_AUTH_TOKEN and RAY_REDIS_ADDRESS.
set -a
[ ! -f .env ] || . ./.env
set +a
export RAY_AUTH_MODE="$([ -n "$RAY_AUTH_TOKEN" ] && echo token || echo disabled)"
