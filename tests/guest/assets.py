# SPDX-License-Identifier: GPL-2.0-or-later
"""What machines are made of: kernels, QEMUs and initrds, kept in a cache.

Each entry of the cache is a folder named after what it was made from (package and version, or the
hash of its sources), so a newer package or an edited source makes a new entry. An entry appears whole
or not at all: it is made in a temporary folder beside it and renamed, under a lock of its name.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# Which version of a package the archive has is asked once in so long; booting needs no network then.
RESOLVE_AGE_S = 7 * 24 * 3600
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The release whose packages the machines are made from, whatever the machine we are on runs.
RELEASE = "bookworm"


class AssetError(Exception):
    """An input of a machine could not be fetched or made; the text is for people."""


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = pathlib.Path(base) / "kvmdbg-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(text):
    print(f"machine: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(name):
    """Hold the cache's lock NAME, waiting for whoever makes the same thing now."""
    folder = cache_dir() / ".locks"
    folder.mkdir(exist_ok=True)
    with open(folder / name, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def entry(name, make):
    """The folder NAME of the cache; where it is absent, make(folder) fills it first."""
    path = cache_dir() / name
    if path.is_dir():
        return path
    with locked(name):
        if path.is_dir():
            return path
        temp = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache_dir()))
        try:
            make(temp)
            temp.chmod(0o755)
            temp.rename(path)
        finally:
            shutil.rmtree(temp, ignore_errors=True)
    return path


def run(argv, what, **kwargs):
    """Standard output of ARGV; AssetError with WHAT and the last line of its complaint otherwise."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    except OSError as error:
        raise AssetError(f"{what}: {error}") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise AssetError(f"{what}: {lines[-1] if lines else f'status {done.returncode}'}")
    return done.stdout


class Apt:
    """Debian's archive as one architecture of a release sees it, without touching this machine's apt."""

    def __init__(self, arch, backports=False, release=RELEASE):
        self.arch = arch
        self.release = release
        self.suite = f"{release}-backports" if backports else release
        self.name = f"{arch}-{self.suite}"
        self.backports = backports
        self.state = cache_dir() / "apt" / self.name
        self.updated = False

    def _options(self):
        options = {
            "APT::Architecture": self.arch,
            "APT::Architectures": self.arch,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Dir::State::Lists": self.state / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.state / "cache",
            "Dir::Etc::sourcelist": self.state / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
        }
        return [f"-o{key}={value}" for key, value in options.items()]

    def _sources(self):
        """Lines of a sources.list: the addresses this machine's own apt uses, for the release."""
        out = run(["apt-get", "indextargets", "--no-release-info", "--format",
                   "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], "apt-get indextargets")
        targets = sorted({tuple(line.split()) for line in out.decode().splitlines()
                          if len(line.split()) == 3})
        own = ""
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                if key == "VERSION_CODENAME":
                    own = value.strip('"')
        suites = [own, f"{own}-updates", f"{own}-security"]
        found = [(site, suite.replace(own, self.release)) for site, suite, component in targets
                 if own and component == "main" and suite in suites]
        # Only Debian's own archive has the -updates suite, and backports are beside it.
        main = [site for site, suite in found if suite.endswith("-updates")]
        main = main or [site for site, suite in found if suite == self.release]
        if not main:
            raise AssetError("no Debian archive among this machine's apt sources")
        if self.backports:
            found = [(main[0], self.release), (main[0], self.suite)]
        return [f"deb [signed-by={KEYRING}] {site} {suite} main\n" for site, suite in found]

    def update(self):
        if self.updated:
            return
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.state / "sources.list").write_text("".join(self._sources()), encoding="utf-8")
        run(["apt-get", *self._options(), "-qq", "update"], f"apt-get update for {self.name}")
        self.updated = True

    def _show(self, package):
        suite = ["-t", self.suite] if self.backports else []
        # Without --no-all-versions another suite's version can come first.
        out = run(["apt-cache", *self._options(), *suite, "show", "--no-all-versions", package],
                  f"apt-cache show {package}:{self.arch}")
        fields = {}
        for line in out.decode().splitlines():
            key, colon, value = line.partition(": ")
            if colon and not line.startswith(" "):
                fields.setdefault(key, value)
        return fields

    def resolve(self, package, refresh=False):
        """{name, version, depends} of PACKAGE, remembered for RESOLVE_AGE_S."""
        note = cache_dir() / "apt" / f"{self.name}.{package}.json"
        known = None
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(note.read_text(encoding="utf-8"))
            if not refresh and time.time() - note.stat().st_mtime < RESOLVE_AGE_S:
                return known
        try:
            with locked(f"apt-{self.name}"):
                self.update()
                fields = self._show(package)
        except AssetError as error:
            if known:
                say(f"{error}; staying with {package} {known['version']}")
                return known
            raise
        known = {"name": package, "version": fields["Version"], "depends": fields.get("Depends", "")}
        temp = note.with_suffix(f".{os.getpid()}")
        temp.write_text(json.dumps(known), encoding="utf-8")
        temp.rename(note)
        return known

    def needs(self, package):
        """(name, version) of all packages that PACKAGE needs."""
        suite = ["-t", self.suite] if self.backports else []
        with locked(f"apt-{self.name}"):
            self.update()
            out = run(["apt-get", *self._options(), *suite, "-s", "--no-install-recommends", "install", package],
                      f"apt-get install -s {package}:{self.arch}")
        words = [line.split() for line in out.decode().splitlines() if line.startswith("Inst ")]
        return [(line[1], line[2].lstrip("(")) for line in words if line[1] != package]

    def download(self, package, version, folder):
        """Fetch one .deb into FOLDER; its path."""
        say(f"fetching {package} {version} ({self.arch})")
        return self.download_all([(package, version)], folder)[0]

    def download_all(self, packages, folder):
        """Fetch the .debs of PACKAGES, (name, version) each, into FOLDER; their paths."""
        with locked(f"apt-{self.name}"):
            self.update()
            run(["apt-get", *self._options(), "-qq", "download", *("=".join(pair) for pair in packages)],
                f"apt-get download {packages[0][0]}:{self.arch}", cwd=folder)
        return [next(pathlib.Path(folder).glob(f"{name}_*.deb")) for name, _ in packages]


def unpack(deb, folder, *patterns):
    """Unpack those files of DEB that match PATTERNS (all without) into FOLDER."""
    tar = ["tar", "-x", "-C", str(folder)]
    if patterns:
        tar += ["--wildcards", "--no-anchored", *patterns]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as source:
        run(tar, f"unpacking {deb.name}", stdin=source.stdout)
    if source.returncode:
        raise AssetError(f"unpacking {deb.name}: dpkg-deb failed")


def file_safe(text):
    return "".join(c if c.isalnum() or c in ".+-" else "_" for c in text)


# What Debian calls an architecture.
DEBIAN = {"arm64": "arm64", "x86_64": "amd64"}

# What packages a kernel comes in, {} being its release, and what is taken from each; the modules are in the last.
ONE_PACKAGE = [("linux-image-{}-unsigned", ["boot/vmlinuz-*", "boot/config-*"])]
THREE_PACKAGES = [("linux-binary-{}", ["*/vmlinuz"]), ("linux-base-{}", ["*/config"]), ("linux-modules-{}", [])]

# The kernels: one row each. "modules" are those that make /dev/kvm, in the order they load.
KERNELS = {
    ("arm64", "6.1"): {"flavour": "cloud-arm64", "modules": []},
    ("arm64", "6.12"): {"flavour": "cloud-arm64", "backports": True, "modules": []},
    ("arm64", "7"): {"flavour": "cloud-arm64", "release": "trixie", "backports": True, "packages": THREE_PACKAGES, "modules": []},
    ("x86_64", "6.1"): {"flavour": "cloud-amd64", "modules": ["irqbypass", "kvm", "kvm-amd"]},
    ("x86_64", "6.12"): {"flavour": "cloud-amd64", "backports": True, "modules": ["irqbypass", "kvm", "kvm-amd"]},
    ("x86_64", "7"): {"flavour": "cloud-amd64", "release": "trixie", "backports": True, "packages": THREE_PACKAGES,
                      "modules": ["irqbypass", "kvm", "kvm-amd"]},
}


def archive(arch, series):
    """The archive that this row's kernel is from."""
    row = KERNELS[arch, series]
    return Apt(DEBIAN[arch], row.get("backports", False), row.get("release", RELEASE))


# Kernels built here from Debian's source: what is patched (NAME.patch in kernels/) and configured.
BUILT = {
    ("arm64", "vhe-good"): {"source": "linux-source-6.1", "config": "vhe.config", "patches": []},
    ("arm64", "vhe-ftrace"): {"source": "linux-source-6.1", "config": "vhe.config",
                              "patches": ["vhe-ftrace.patch"]},
}
KERNEL_ARCH = {"arm64": "arm64", "x86_64": "x86"}


def built_kernel(arch, name, refresh=False):
    """The same folder as kernel()'s, of a kernel that is built when the cache has none: minutes."""
    row = BUILT[arch, name]
    source = Apt(DEBIAN[arch]).resolve(row["source"], refresh)
    inputs = [HERE / "kernels" / file for file in (row["config"], *row["patches"])]
    digest = hashlib.sha256(json.dumps(source).encode())
    for path in inputs:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())

    def fetch(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            unpack(Apt(DEBIAN[arch]).download(row["source"], source["version"], temp), temp, "*.tar.xz")
            next(pathlib.Path(temp).glob("usr/src/*.tar.xz")).rename(folder / "source.tar.xz")

    def make(folder):
        packed = entry(f"{row['source']}-{file_safe(source['version'])}", fetch) / "source.tar.xz"
        say(f"building kernel {name}: some minutes")
        with tempfile.TemporaryDirectory(prefix=".kernel.", dir=cache_dir()) as temp:
            work = pathlib.Path(temp) / "source"
            work.mkdir()
            run(["tar", "-x", "-C", str(work), "--strip-components=1", "-f", str(packed)], "unpacking the kernel's source")
            for path in inputs[1:]:
                run(["patch", "-p1", "-i", str(path)], f"applying {path.name}", cwd=work)
            make_kernel(arch, work, pathlib.Path(temp) / "build", inputs[0], folder)
        (folder / "modules").mkdir()
        release = (folder / "release").read_text(encoding="utf-8").strip()
        (folder / "info.json").write_text(json.dumps(
            {"arch": arch, "series": name, "release": release, "package": row["source"],
             "version": source["version"], "modules": []}), encoding="utf-8")

    return entry(f"kernel-{arch}-{name}-{digest.hexdigest()[:16]}", make)


def make_kernel(arch, source, build, config, folder):
    argv = ["make", "-s", f"-j{os.cpu_count()}", f"ARCH={KERNEL_ARCH[arch]}", f"O={build}",
            f"CROSS_COMPILE={CROSS[arch].removesuffix('gcc')}", "KBUILD_BUILD_USER=kvmdbg", "KBUILD_BUILD_HOST=tests",
            # The one variable of the banner: the same inputs make the same kernel.
            "KBUILD_BUILD_TIMESTAMP=2020-01-01"]
    wanted = [line for line in config.read_text(encoding="utf-8").splitlines() if line.startswith("CONFIG_")]
    build.mkdir()
    (build / "wanted").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    run([*argv, f"KCONFIG_ALLCONFIG={build / 'wanted'}", "allnoconfig"], "configuring the kernel", cwd=source)
    have = (build / ".config").read_text(encoding="utf-8").splitlines()
    missing = [line for line in wanted if line not in have]
    if missing:
        raise AssetError(f"{config.name}: this kernel does not take {', '.join(missing)}")
    run([*argv, "Image", "vmlinux"], "building the kernel", cwd=source)
    (build / "arch" / KERNEL_ARCH[arch] / "boot" / "Image").rename(folder / "vmlinuz")
    (build / "vmlinux").rename(folder / "vmlinux")
    (build / ".config").rename(folder / "config")
    (build / "include" / "config" / "kernel.release").rename(folder / "release")


def kernel(arch, series, refresh=False):
    """Folder with `vmlinuz`, `vmlinux` (with debug information), `modules/*.ko`, `info.json`."""
    row = KERNELS.get((arch, series))
    if (arch, series) in BUILT:
        return built_kernel(arch, series, refresh)
    if not row:
        known = ", ".join(sorted(s for a, s in [*KERNELS, *BUILT] if a == arch)) or "none"
        raise AssetError(f"no kernel {series} for {arch} (known: {known})")
    apt = archive(arch, series)
    meta = apt.resolve(f"linux-image-{row['flavour']}-dbg", refresh)
    debug_package = debug_package_of(meta)
    release = debug_package.removeprefix("linux-image-").removesuffix("-dbg")
    packages = [(name.format(release), parts) for name, parts in row.get("packages", ONE_PACKAGE)]
    version = meta["version"]

    def make(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            temp = pathlib.Path(temp)
            for name, parts in packages:
                image = apt.download(name, version, temp)
                if parts:
                    unpack(image, temp, *parts)
            debug = apt.download(debug_package, version, temp)
            unpack(debug, temp, "*/vmlinux*", *(f"*/{name}.ko" for name in row["modules"]))
            for what in ("vmlinuz", "config"):
                named(temp, what, release).rename(folder / what)
            named(temp / "usr/lib/debug", "vmlinux", release).rename(folder / "vmlinux")
            if row["modules"]:
                modules(image, temp, folder, row["modules"])
            (folder / "info.json").write_text(json.dumps(
                {"arch": arch, "series": series, "release": release, "package": packages[-1][0],
                 "version": version, "modules": row["modules"]}), encoding="utf-8")

    return entry(f"kernel-{arch}-{file_safe(version)}", make)


def named(folder, what, release):
    """The file WHAT or WHAT-RELEASE below FOLDER; packages also have links to it."""
    return next(path for path in folder.rglob(f"{what}*")
                if path.name in (what, f"{what}-{release}") and path.is_file() and not path.is_symlink())


def debug_package_of(meta):
    """The package with the debug information that the package META stands for."""
    for package in (one.split()[0] for one in meta["depends"].split(", ")):
        if package.endswith("-dbg"):
            return package
    raise AssetError(f"{meta['name']} depends on {meta['depends']!r}, not on a -dbg package")


def debug_module(arch, series, name):
    """Path of NAME.ko with debug information, of a module that our machines of that kernel do not load."""
    apt = archive(arch, series)
    meta = apt.resolve(f"linux-image-{KERNELS[arch, series]['flavour']}-dbg")

    def make(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            temp = pathlib.Path(temp)
            unpack(apt.download(debug_package_of(meta), meta["version"], temp), temp, f"*/{name}.ko")
            next(temp.glob(f"usr/lib/debug/**/{name}.ko")).rename(folder / f"{name}.ko")

    return entry(f"module-{arch}-{name}-{file_safe(meta['version'])}", make) / f"{name}.ko"


def modules(image, temp, folder, names):
    """Put what the machine loads in modules/, what has their debug information in debug/."""
    (folder / "debug").mkdir()
    for name in names:
        for path in temp.glob(f"usr/lib/debug/**/{name}.ko"):
            path.rename(folder / "debug" / path.name)
    (folder / "modules").mkdir()
    plain_modules(image, temp, folder / "modules", names)


def plain_modules(image, temp, folder, names):
    """Put NAMES of the package IMAGE in FOLDER, as a kernel loads them."""
    unpack(image, temp, *(f"*/{name}.ko*" for name in names))
    for name in names:
        packed = next((path for base in ("lib", "usr/lib") for path in temp.glob(f"{base}/modules/**/{name}.ko*")), None)
        if not packed:
            raise AssetError(f"{image.name} has no module {name}")
        data = packed.read_bytes()
        if packed.suffix == ".xz":
            data = lzma.decompress(data)
        (folder / f"{name}.ko").write_bytes(data)


def driver(arch, series, name):
    """Path of NAME.ko, a module that not every machine of that kernel has."""
    info = json.loads((kernel(arch, series) / "info.json").read_text(encoding="utf-8"))

    def make(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            temp = pathlib.Path(temp)
            apt = archive(arch, series)
            plain_modules(apt.download(info["package"], info["version"], temp), temp, folder, [name])

    return entry(f"driver-{arch}-{name}-{file_safe(info['version'])}", make) / f"{name}.ko"


# QEMU per architecture: program, package, what it loads into a machine that boots a kernel from a file.
QEMUS = {
    "arm64": {"program": "qemu-system-aarch64", "package": "qemu-system-arm", "firmware": []},
    "x86_64": {"program": "qemu-system-x86_64", "package": "qemu-system-x86",
               "firmware": ["bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin"]},
}


def host_arch():
    return run(["dpkg", "--print-architecture"], "dpkg").decode().strip()


def qemu(arch, which, refresh=False):
    """(program, options before all others) of QEMU WHICH: "7.2" (installed), "10", or a path."""
    row = QEMUS[arch]
    if "/" in which:
        if not os.access(which, os.X_OK):
            raise AssetError(f"{which}: no such program")
        return which, []
    if which == "7.2":
        program = shutil.which(row["program"])
        if not program:
            raise AssetError(f"no {row['program']} installed (scripts/setup installs it)")
        return program, []
    if which != "10":
        raise AssetError(f"no QEMU {which} known (7.2, 10, or a path)")
    apt = Apt(host_arch(), backports=True)
    meta = apt.resolve(row["package"], refresh)
    data = apt.resolve("qemu-system-data", refresh)

    def make(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            unpack(apt.download(row["package"], meta["version"], temp), folder, "usr/bin/qemu-system-*")
            unpack(apt.download("qemu-system-data", data["version"], temp), folder, "usr/share/qemu/*")

    folder = entry(f"{row['package']}-{file_safe(meta['version'])}", make)
    return str(folder / "usr/bin" / row["program"]), ["-L", str(folder / "usr/share/qemu"),
                                                      "-L", "/usr/share/qemu", "-L", "/usr/share/seabios"]


def cpio(files):
    """A newc archive of FILES: {path: (mode, bytes)}; folders are given like files, with no bytes."""
    out = bytearray()
    for number, (path, (mode, data)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


CROSS = {"arm64": "aarch64-linux-gnu-gcc", "x86_64": "x86_64-linux-gnu-gcc"}


def initrd(arch, kernel_folder, refresh=False):
    """Folder with `initrd` and `nested` (the guest program, with its symbols)."""
    apt = Apt(DEBIAN[arch])
    busybox = apt.resolve("busybox-static", refresh)
    sources = sorted((HERE / "nested").glob("*.[chS]")) + [HERE / "nested" / "init"]
    mods = sorted((kernel_folder / "modules").glob("*.ko"))
    digest = hashlib.sha256()
    for path in [*sources, pathlib.Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(json.dumps([busybox, arch, kernel_folder.name if mods else ""]).encode())

    def shell(folder):
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            temp = pathlib.Path(temp)
            unpack(apt.download("busybox-static", busybox["version"], temp), temp)
            (next(temp.glob("**/bin/busybox"))).rename(folder / "busybox")

    def make(folder):
        box = entry(f"busybox-{arch}-{file_safe(busybox['version'])}", shell) / "busybox"
        program = [str(path) for path in sources if path.suffix == ".c" and
                   path.stem.rpartition("-")[2] in ("nested", arch)]
        program += [str(path) for path in sources if path.suffix == ".S" and path.stem.endswith(arch)]
        run([CROSS[arch], "-static", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread",
             "-o", str(folder / "nested"), *program], "building the nested guest")
        files = {name: (0o40755, b"") for name in ("bin", "proc", "sys", "dev", "run", "tmp", "modules")}
        files["init"] = (0o100755, (HERE / "nested" / "init").read_bytes())
        files["bin/busybox"] = (0o100755, box.read_bytes())
        files["bin/nested"] = (0o100755, (folder / "nested").read_bytes())
        for path in mods:
            files[f"modules/{path.name}"] = (0o100644, path.read_bytes())
        info = json.loads((kernel_folder / "info.json").read_text(encoding="utf-8"))
        files["modules/order"] = (0o100644, " ".join(info["modules"]).encode())
        with open(folder / "initrd", "wb") as out:
            out.write(gzip.compress(cpio(files), 6))

    return entry(f"initrd-{arch}-{digest.hexdigest()[:16]}", make)


def inner_qemu(arch, which, refresh=False):
    """Folder with `qemu` and all it needs to run in a machine: `lib`, and `data`, its firmware."""
    row = QEMUS[arch]
    apt = Apt(DEBIAN[arch], backports=which == "10")
    meta = apt.resolve(row["package"], refresh)

    def make(folder):
        (folder / "data").mkdir()
        (folder / "lib").mkdir()
        with tempfile.TemporaryDirectory(prefix=".deb.", dir=cache_dir()) as temp:
            temp = pathlib.Path(temp)
            others = ["zlib1g", *(["qemu-system-data", "seabios"] if row["firmware"] else [])]
            needs = [pair for pair in apt.needs(row["package"]) if pair[0].startswith("lib") or pair[0] in others]
            for deb in apt.download_all(needs, temp):
                unpack(deb, temp)
            unpack(apt.download(row["package"], meta["version"], temp), temp, f"usr/bin/{row['program']}")
            (temp / "usr/bin" / row["program"]).rename(folder / "qemu")
            found = {path.name: path for path in temp.glob("**/*.so*")}
            todo = [folder / "qemu"]
            while todo:
                for name in needed_libraries(todo.pop()):
                    if not (folder / "lib" / name).exists():
                        shutil.copy(found[name], folder / "lib" / name)
                        todo.append(folder / "lib" / name)
            for name in row["firmware"]:
                shutil.copy(next(path for path in temp.glob(f"usr/share/*/{name}") if path.exists()), folder / "data")

    return entry(f"inner-qemu-{arch}-{file_safe(meta['version'])}", make)


def needed_libraries(path):
    """Names of the shared libraries that the ELF file PATH needs."""
    lines = run(["eu-readelf", "-d", str(path)], f"eu-readelf {path.name}").decode().splitlines()
    return [line.partition("[")[2].rstrip("]") for line in lines if " NEEDED " in line]


def inner_initrd(arch, series, which):
    """Path of an initrd like ours that has /inner too: a QEMU, what its machine boots, and `start`."""
    folder = kernel(arch, series)
    base = initrd(arch, folder) / "initrd"
    program = inner_qemu(arch, which)
    start = HERE / "nested" / "inner"
    digest = hashlib.sha256(json.dumps([folder.name, base.parent.name, program.name]).encode())
    for path in (start, pathlib.Path(__file__)):
        digest.update(path.read_bytes())

    def make(out):
        files = {"inner/start": start, "inner/qemu": program / "qemu", "inner/vmlinuz": folder / "vmlinuz",
                 "inner/initrd": base, "inner/vmxnet3.ko": driver(arch, series, "vmxnet3")}
        files.update({f"inner/{path.name}": path for path in (program / "data").iterdir()})
        for path in (program / "lib").iterdir():
            # Where the program names its loader, which for x86-64 is not where its libraries are looked for.
            files[f"{'lib64' if path.name.startswith('ld-linux-x86') else 'lib'}/{path.name}"] = path
        folders = sorted({str(place) for path in files for place in pathlib.PurePosixPath(path).parents} - {"."})
        tree = {place: (0o40755, b"") for place in folders}
        tree.update({path: (0o100755, source.read_bytes()) for path, source in files.items()})
        # Archives behind each other are one to Linux; each starts at a multiple of four.
        data = base.read_bytes()
        (out / "initrd").write_bytes(data + b"\0" * (-len(data) % 4) + cpio(tree))

    return entry(f"inner-{digest.hexdigest()[:16]}", make) / "initrd"
