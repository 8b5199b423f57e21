prepare_log_dir glance glance

if [[ -v KOLLA_BOOTSTRAP ]]; then
    run_as glance glance-manage db_sync
    run_as glance glance-manage db_load_metadefs
    exit 0
fi

if [[ -v KOLLA_UPGRADE ]]; then
    if [[ -v GLANCE_DB_EXPAND ]]; then run_as glance glance-manage db expand; fi
    if [[ -v GLANCE_DB_MIGRATE ]]; then run_as glance glance-manage db migrate; fi
    if [[ -v GLANCE_DB_CONTRACT ]]; then run_as glance glance-manage db contract; fi
    exit 0
fi
