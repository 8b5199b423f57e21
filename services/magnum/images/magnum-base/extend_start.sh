prepare_log_dir magnum magnum

if [[ -v KOLLA_BOOTSTRAP ]]; then
    run_as magnum magnum-db-manage upgrade
    exit 0
fi
