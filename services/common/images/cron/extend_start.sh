# Logs are rotated as often as KOLLA_LOGROTATE_SCHEDULE says: hourly, daily,
# weekly or monthly.
schedule=${KOLLA_LOGROTATE_SCHEDULE:-daily}
case $schedule in
    hourly | daily | weekly | monthly) ;;
    *)
        echo "KOLLA_LOGROTATE_SCHEDULE is '$schedule'; it must be hourly, daily, weekly or monthly" >&2
        exit 1
        ;;
esac
rm -f /etc/cron.{hourly,daily,weekly,monthly}/logrotate
ln -s /usr/local/bin/kolla_logrotate "/etc/cron.$schedule/logrotate"
# A pid file left by a killed container would keep cron from starting.
rm -f /run/crond.pid
