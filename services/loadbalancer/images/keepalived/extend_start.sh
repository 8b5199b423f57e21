# Pid files left by a killed container would keep keepalived from starting.
rm -f /run/keepalived.pid /run/vrrp.pid /run/keepalived_vrrp.pid /run/checkers.pid /run/keepalived_checkers.pid
