"""Files of a container: replacing them, and keeping the ones the image brought.

Part of kolla_set_configs.
"""

import json
import os
import shutil
import stat
import tempfile

DEFAULTS_DIR = "/etc/kolla/defaults"
STATE_FILE = DEFAULTS_DIR + "/state"


def log(message):
    print(f"kolla_set_configs: {message}", flush=True)


def remove(path):
    if os.path.islink(path) or os.path.isfile(path):
        os.remove(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)


def set_properties(path, uid, gid, mode):
    """Owner and mode, touching only what differs. Links are never followed:
    a service must not be able to aim this at a file that is not its own."""
    try:
        status = os.lstat(path)
        if (status.st_uid, status.st_gid) != (uid, gid):
            os.lchown(path, uid, gid)
            status = os.lstat(path)  # a change of owner clears setuid and setgid
        if mode is not None and not stat.S_ISLNK(status.st_mode) and stat.S_IMODE(status.st_mode) != mode:
            os.chmod(path, mode)
    except OSError as problem:
        log(f"cannot set owner or mode of {path}: {problem.strerror}")


def replace_file(source, dest, properties, keep_times):
    """Write beside the target and rename. The new file is private until it has
    its owner, so a secret is never readable by others in between."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(dest), prefix=".kolla-")
    try:
        with os.fdopen(descriptor, "wb") as target, open(source, "rb") as origin:
            shutil.copyfileobj(origin, target)
        set_properties(temporary, *properties)
        if keep_times:
            status = os.stat(source)
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.rename(temporary, dest)
    except OSError:
        os.remove(temporary)
        # A target that is itself a mount can only be written to.
        if not os.path.ismount(dest):
            raise
        shutil.copyfile(source, dest)
        set_properties(dest, *properties)


def copy_tree(source, dest):
    """A copy of a file, link or directory with all its properties."""
    if os.path.isdir(source) and not os.path.islink(source):
        os.makedirs(dest, exist_ok=True)
        for name in os.listdir(source):
            copy_tree(os.path.join(source, name), os.path.join(dest, name))
        shutil.copystat(source, dest)
    else:
        shutil.copy2(source, dest, follow_symlinks=False)
    status = os.lstat(source)
    os.lchown(dest, status.st_uid, status.st_gid)


# --- the image's own files, restored when an entry goes away ----------------


def read_state():
    try:
        with open(STATE_FILE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def restore_unlisted(state, listed):
    for dest in sorted(set(state) - listed):
        backup = state.pop(dest)["dest"]
        log(f"{dest} is no longer configured, {'restoring' if backup else 'removing'} it")
        remove(dest)
        if backup:
            copy_tree(backup, dest)
            remove(backup)


def back_up(state, copies):
    os.makedirs(DEFAULTS_DIR, mode=0o700, exist_ok=True)
    for copy in copies:
        for dest in copy.tracked():
            if dest in state:
                continue
            backup = None
            if os.path.lexists(dest):
                backup = DEFAULTS_DIR + dest
                os.makedirs(os.path.dirname(backup), exist_ok=True)
                copy_tree(dest, backup)
            state[dest] = {"source": copy.source, "preserve_properties": copy.preserve, "dest": backup}


def write_state(state):
    with open(STATE_FILE, "w", encoding="utf-8") as file:
        json.dump(state, file)
