#!/bin/bash
# Runs every check of the site; the virtual address moves away when one fails.
shopt -s nullglob
for check in /checks/*; do
    [[ -f $check && -x $check ]] || continue
    if ! "$check"; then
        echo "check failed: $check" >&2
        exit 1
    fi
done
exit 0
