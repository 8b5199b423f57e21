prepare_log_dir heat heat

if [[ -v KOLLA_BOOTSTRAP ]]; then
    run_as heat heat-manage db_sync
    exit 0
fi
