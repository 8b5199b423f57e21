prepare_log_dir keystone keystone

keystone_manage() {
    # shellcheck disable=SC2086
    run_as keystone keystone-manage ${EXTRA_KEYSTONE_MANAGE_ARGS:-} "$@"
}

if [[ -v KOLLA_BOOTSTRAP ]]; then
    keystone_manage db_sync
    # Reads the password, the URLs and the region from OS_BOOTSTRAP_*.
    if [[ -n ${OS_BOOTSTRAP_PASSWORD:-} ]]; then
        keystone_manage bootstrap
    fi
    exit 0
fi

if [[ -v KOLLA_UPGRADE ]]; then
    keystone_manage db_sync --expand
    keystone_manage db_sync --migrate
    exit 0
fi

if [[ -v KOLLA_FINISH_UPGRADE ]]; then
    keystone_manage db_sync --contract
    exit 0
fi
