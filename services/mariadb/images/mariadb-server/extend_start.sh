prepare_log_dir mariadb mysql

if [[ -v KOLLA_BOOTSTRAP ]]; then
    kolla_mariadb_bootstrap
    exit 0
fi

if [[ -v KOLLA_UPGRADE ]]; then
    # The tools read the password from the environment: arguments are visible to everybody.
    # Every member upgrades its own data: neither binary log nor Galera hands it on.
    MYSQL_PWD=${DB_ROOT_PASSWORD:-} mariadb-upgrade --skip-write-binlog --user="${DB_ROOT_USER:-root}" \
        --host="${DB_HOST:-localhost}" --port="${DB_PORT:-3306}"
    exit 0
fi

# A bootstrap that was cut off leaves data no server can use. It was begun on an
# empty volume, so there is nothing in it to lose.
if [[ -e /var/lib/mysql/.bootstrap-unfinished ]]; then
    echo "An unfinished bootstrap was found: starting from an empty data directory"
    kolla_mariadb_bootstrap --discard
fi

ARGS=${BOOTSTRAP_ARGS:-}
