"""Takes away what nothing in an image runs, and makes what stays the same in every build.

Run by the Dockerfile as the last step of a system: `slim.py NAME`. Its root becomes one layer, so
what goes costs nothing. Packages go as a whole, out of dpkg's list too, which scanners read.
"""

import itertools
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

DPKG = Path("/var/lib/dpkg")
STATUS = DPKG / "status"
# Installs and removes packages; nobody does that in a container whose root is read-only.
PACKAGE_MANAGER = """
    apt debconf debian-archive-keyring dpkg init-system-helpers libapt-pkg7.0 libdebconfclient0
    libhogweed6t64 liblz4-1 libnettle8t64 libseccomp2 libxxhash0 perl-base sqv sysvinit-utils
    tar gzip
"""
# Users who log in, disks, terminals: there are none.
MACHINE = """
    bash bsdutils debianutils diffutils hostname libaudit-common libaudit1 libblkid1 libcap-ng0
    libcrypt1 libdb5.3t64 liblastlog2-2 libmount1 libpam-modules libpam-modules-bin libpam-runtime
    libpam0g libsemanage-common libsemanage2 libsepol2 libsmartcols1 libsystemd0 libudev1 login
    login.defs logsave mawk mount ncurses-bin openssl-provider-legacy passwd util-linux
"""
# Of the operator: only apt and the compiler are written in C++.
COMPILER = "libstdc++6"
# Of these directories this stays, and nothing else.
KEPT = {
    "/": "bin dev etc lib lib64 proc root run sbin sys tmp usr var",
    "/etc": """debian_version group gshadow host.conf hosts ld.so.conf ld.so.conf.d localtime
        mime.types networks nsswitch.conf os-release passwd profile protocols python3.13 resolv.conf
        rpc services shadow""",
    "/root": "",
    "/run": "",
    "/tmp": "",
    "/usr": "bin lib lib64 local sbin share",
    "/usr/local": "bin",
    "/usr/share": "common-licenses doc zoneinfo",
    "/var": "lib lock run tmp",
    "/var/lib": "dpkg",
    "/var/lib/dpkg": "info status",
    "/var/tmp": "",
}
# Character sets that are not Unicode; of Python its tests, installers and what people play with.
GONE = (
    "usr/bin/tini-static",
    "usr/lib/*/gconv",
    "usr/lib/python3.*/_pyrepl",
    "usr/lib/python3.*/ensurepip",
    "usr/lib/python3.*/lib-dynload/_dbm.*",
    "usr/lib/python3.*/pydoc_data",
    "usr/lib/python3.*/test",
    "usr/lib/python3.*/turtle*",
)
# Of each package stays what it has installed, and the sums; its scripts have run.
LISTS = (".list", ".md5sums")
OPERATOR = "nonroot:x:65532:65532::/nonexistent:/usr/sbin/nologin\n"


def main(name: str) -> None:
    """Everything, for one image."""
    removed = {*PACKAGE_MANAGER.split(), *MACHINE.split()}
    remove_packages(removed | ({COMPILER} if name == "operator" else set()))
    for directory, names in KEPT.items():
        keep(Path(directory), names.split())
    for path in [*itertools.chain.from_iterable(map(Path("/").glob, GONE)), *pointless()]:
        remove(path)
    if name == "operator":
        with Path("/etc/passwd").open("a") as users:
            users.write(OPERATOR)
    drop_special_rights()
    subprocess.run(["ldconfig", "-X"], check=True)
    remove(Path("/var/cache"))
    compile_python()


def remove_packages(names: set[str]) -> None:
    """Their files, except those that another package has too, and what dpkg knows of them."""
    paragraphs = STATUS.read_text().strip().split("\n\n")
    kept = [text for text in paragraphs if field(text, "Package") not in names]
    wanted = {path for text in kept for path in owned(field(text, "Package"))}
    for name in names:
        for path in owned(name):
            if path not in wanted and (path.is_symlink() or path.is_file()):
                path.unlink()
        for path in (*DPKG.glob(f"info/{name}.*"), *DPKG.glob(f"info/{name}:*")):
            path.unlink()
    STATUS.write_text("\n\n".join(kept) + "\n\n")


def field(paragraph: str, name: str) -> str:
    """The value of a field of one paragraph of the status file; empty when it has none."""
    lines = (line for line in paragraph.splitlines() if line.startswith(f"{name}: "))
    return next(lines, "").partition(": ")[2]


def owned(package: str) -> Iterator[Path]:
    """Every path of a package, directories among them. /bin and so on are links to /usr."""
    lists = (*DPKG.glob(f"info/{package}.list"), *DPKG.glob(f"info/{package}:*.list"))
    for line in itertools.chain.from_iterable(path.read_text().splitlines() for path in lists):
        path = Path(line)
        yield path.parent.resolve() / path.name


def keep(directory: Path, names: list[str]) -> None:
    """Empties a directory but for these names."""
    for path in directory.iterdir():
        if path.name not in names:
            remove(path)


def remove(path: Path) -> None:
    """A file, or a whole directory. What the build itself has mounted stays; it is empty below."""
    if path.is_mount():
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def pointless() -> Iterator[Path]:
    """Documentation but for what licences ask for, scripts of packages, links that lead nowhere."""
    for path in Path("/usr/share/doc").rglob("*"):
        if path.is_file() and path.name != "copyright":
            yield path
    for path in DPKG.glob("info/*"):
        if path.suffix not in LISTS:
            yield path
    for path in (*Path("/usr/bin").iterdir(), *Path("/usr/sbin").iterdir()):
        if path.is_symlink() and not path.exists():
            yield path


def drop_special_rights() -> None:
    """Nothing in an image becomes another user."""
    for directory, _, names in os.walk("/usr"):
        for path in (Path(directory, name) for name in names):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(mode & 0o777)


def compile_python() -> None:
    """Python could keep nothing that it compiles later. By hash, since every file of an image gets
    the same time."""
    argv = ["-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    places = [str(path) for path in Path("/usr/lib").glob("python3*")]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, *argv, *places], env=environment, check=True)


if __name__ == "__main__":
    main(sys.argv[1])
