# The socket of a process that was killed stays behind on the volume.
rm -f /var/lib/kolla/haproxy/*.sock
