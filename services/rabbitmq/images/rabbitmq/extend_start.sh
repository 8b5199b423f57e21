prepare_log_dir rabbitmq rabbitmq

# The cookie normally comes as a configuration file. A one-shot container that
# writes it from the environment is understood too.
if [[ -v KOLLA_BOOTSTRAP ]]; then
    cookie=/var/lib/rabbitmq/.erlang.cookie
    (
        umask 0377
        printf '%s' "${RABBITMQ_CLUSTER_COOKIE:?must be set with KOLLA_BOOTSTRAP}" >"$cookie.new"
    )
    mv -f "$cookie.new" "$cookie"
    exit 0
fi
