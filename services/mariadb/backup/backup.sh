#!/bin/bash
# Backups of the database in the volume at /backup. Runs in a container of the database's own image, beside the server
# whose data directory it reads.
#
#   backup.sh take ID [BASE]   to ID.partial; a full one where BASE does not fit the data any more
#   backup.sh prove ID         checks it and prepares it once; only then it gets its name
#   backup.sh ready ID         checks and prepares it to restore-ID, from where it can be put back
#   backup.sh drop ID...       removes backups, in this order
#
# A directory ID is a good backup, whenever this is killed. The last line of the output is for the operator.
set -o errexit -o nounset -o pipefail
shopt -s nullglob

store=/backup
data=/var/lib/mysql
defaults=/etc/mysql/backup.cnf
stream=data.mbs.gz

fail() {
    echo "$*" >&2
    exit 1
}

# What the tools said last, where they failed.
failed() {
    tail -n 15 "$2" >&2
    fail "$1"
}

place() {
    if [[ -d $store/$1 ]]; then echo "$store/$1"; else echo "$store/$1.partial"; fi
}

# fact ID NAME
fact() {
    sed -n "s/^$2=//p" "$(place "$1")/facts"
}

tool_version() {
    [[ $(mariadb-backup --version 2>&1) =~ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "mariadb-backup does not tell its version"
    echo "${BASH_REMATCH[0]}"
}

megabytes() {
    # Without what a prepared copy has not; and files may go away while they are counted.
    { du -sm --exclude=galera.cache --exclude='mysql-bin.*' --exclude='ib_logfile*' "$1" 2>/dev/null || true; } | cut -f 1
}

# need MEGABYTES WHAT
need() {
    local free
    free=$(df -Pm "$store" | awk 'NR == 2 { print $4 }')
    ((free >= $1)) || fail "the volume of the backups has $free MB left and $2 needs about $1 MB: make room, or keep fewer (mariadb_backup_keep)"
}

# Whose log sequence numbers these are: a state transfer makes new files, with numbers of another server. One by rsync
# writes into the old files, so nothing can be told there.
lineage() {
    local method born
    method=$(mariadb --defaults-file="$defaults" --batch --skip-column-names --execute='SELECT @@wsrep_sst_method')
    born=$(stat -c %W "$data/ibdata1")
    if [[ $method == mariabackup && $born =~ ^[1-9] ]]; then stat -c '%i:%W' "$data/ibdata1"; fi
}

take() {
    local id=$1 base=${2:-} part=$store/$1.partial version own why='' kind=full size more=()
    rm -rf "$store"/*.partial "$store"/scratch*
    mkdir "$part"
    version=$(tool_version)
    own=$(lineage)
    if [[ -n $base ]]; then
        if [[ $(fact "$base" version) != "$version" ]]; then
            why="$base was taken with version $(fact "$base" version)"
        elif [[ -z $own || $(fact "$base" lineage) != "$own" ]]; then
            why="the data directory was replaced since $base, or may have been"
        else
            kind=incremental
            more=(--incremental-basedir="$store/$base")
        fi
    fi
    if [[ $kind == full ]]; then base=''; fi
    size=$(megabytes "$data")
    # Once compressed, and once as it is when it is prepared.
    need $((size * 13 / 10 + 100)) "a backup of $size MB"
    echo "reads $size MB"
    mariadb-backup --defaults-file="$defaults" --backup --stream=mbstream --galera-info --datadir="$data" \
        --target-dir="$part/tmp" --extra-lsndir="$part" "${more[@]}" 2>"$part/log" |
        gzip -3 | tee "$part/$stream" | sha256sum | sed "s/-\$/$stream/" >"$part/$stream.sha256" ||
        failed "mariadb-backup could not take the backup" "$part/log"
    printf '%s\n' "kind=$kind" "base=$base" "version=$version" "lineage=$own" >"$part/facts"
    echo "$kind, $(megabytes "$part") MB compressed of $size MB${why:+; full because $why}"
}

# The backups that make this one up, the full one first.
chain_of() {
    local at=$1 chain=''
    while [[ -n $at ]]; do
        [[ -r $(place "$at")/facts ]] || fail "$at is missing: $1 cannot be prepared without it"
        chain="$at $chain"
        at=$(fact "$at" base)
    done
    echo "$chain"
}

# unpack ID TARGET: a data directory as it was at the end of the backup. Sets `position`.
unpack() {
    local target=$2 chain at from into version own
    own=$(tool_version)
    version=$(fact "$1" version)
    [[ ${own%.*} == "${version%.*}" ]] || fail "$1 was taken with version $version and cannot be prepared with $own"
    chain=$(chain_of "$1")
    for at in $chain; do
        from=$(place "$at")
        (cd "$from" && sha256sum --check --quiet --strict "$stream.sha256") || fail "$from: the checksum differs, this backup is damaged"
    done
    rm -rf "$target" "$target.delta"
    for at in $chain; do
        from=$(place "$at")
        into=$target
        if [[ -d $target ]]; then into=$target.delta; fi
        mkdir "$into"
        echo "unpacks $at"
        gzip -dc "$from/$stream" | mbstream --extract --directory="$into"
        # Some versions write it twice, under the old and the new name.
        position=$(cat "$into"/*_galera_info 2>/dev/null | grep -oE '^[0-9a-f-]{36}:[0-9]+' | sort -u | tail -n 1 || true)
        echo "prepares $at"
        if [[ $into == "$target" ]]; then more=(); else more=(--incremental-dir="$into"); fi
        mariadb-backup --prepare --target-dir="$target" "${more[@]}" >"$target.log" 2>&1 ||
            failed "mariadb-backup could not prepare $at" "$target.log"
        if [[ $into != "$target" ]]; then rm -rf "$into"; fi
    done
    rm -f "$target.log"
}

prove() {
    local id=$1 part=$store/$1.partial position='' size
    size=$(megabytes "$data")
    need $((size * 11 / 10 + 100)) "preparing it"
    unpack "$id" "$store/scratch"
    size=$(megabytes "$store/scratch")
    rm -rf "$store/scratch"
    printf '%s\n' "position=$position" "size=$(megabytes "$part")" "data_size=$size" "finished=$(date +%s)" >>"$part/facts"
    sync "$part"/* "$part"
    mv -T "$part" "$store/$id"
    sync "$store"
    echo "good, up to ${position:-an unknown position}"
}

ready() {
    local id=$1 target=$store/restore-$1 position=''
    if [[ -d $target ]]; then
        echo "was ready"
        return
    fi
    rm -rf "$store"/restore-* "$store"/moving* "$store"/scratch*
    need $(($(fact "$id" data_size) * 11 / 10 + 100)) "the restored data"
    unpack "$id" "$target.partial"
    rm -f "$target.partial"/{xtrabackup_*,mariadb_backup_*,backup-my.cnf}
    sync -f "$target.partial"
    mv -T "$target.partial" "$target"
    sync "$store"
    echo "prepared, up to ${position:-an unknown position}"
}

drop() {
    local id
    for id in "$@"; do
        if [[ -d $store/$id ]]; then mv -T "$store/$id" "$store/$id.partial"; fi
        rm -rf "$store/$id.partial"
    done
    echo "$# removed"
}

exec 9>>"$store/.lock"
flock --nonblock 9 || fail "another container works on the backups in this volume"
"$@"
