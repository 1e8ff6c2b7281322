"""What set-up needs to know about Python wheels; called by xtask as `python3 -c <this file> COMMAND ...`.

    space FOLDER BYTES        has its disk that much to spare?
    check FILE SIZE SHA256    is the file whole? SIZE 0 means that neither is known
    unpack FILE FOLDER cpu    headers into FOLDER/include, libraries of the processor build into FOLDER/lib
    unpack FILE FOLDER cuda   libraries of the GPU build into FOLDER
    needs FILE EXTRAS         the CUDA packages that this wheel asks for, for each a line `name version extras`
"""

import hashlib
import os
import re
import shutil
import sys
import zipfile

SHARED = re.compile(r"\.(so(\.\d+)*|dylib)$")
# libtorch_cpu wants these two even on a machine without a GPU.
RUNTIME = re.compile(r"^lib(cudart|cupti)\.so")
GPU = re.compile(r"cuda|nvrtc|nvshmem")


def space(folder, wanted):
    free = shutil.disk_usage(folder).free
    if free < wanted:
        return f"The disk of {folder} has {free / 1e9:.1f} GB to spare; {wanted / 1e9:.1f} GB are needed."


def check(path, size, sha256):
    """Says what is wrong with the file, or nothing."""
    if not zipfile.is_zipfile(path):
        return "it is cut off or is no wheel"
    if size == 0:
        return None
    if os.path.getsize(path) != size:
        return f"it has {os.path.getsize(path)} bytes, not {size}"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return None if digest.hexdigest() == sha256 else "its SHA-256 is not the known one"


def place(name, part):
    """Where a member of a wheel goes, relative to the target folder; None if it is not wanted."""
    folder, base = os.path.split(name)
    if not base or ".." in name.split("/"):
        return None
    if part == "cpu" and name.startswith("torch/include/"):
        return name.removeprefix("torch/")
    if not SHARED.search(base):
        return None
    if folder == "torch/lib":
        # libtorch.so only refers to the other libraries, the GPU's among them: set-up makes a link in its place.
        if "python" in base or "global_deps" in base or base == "libtorch.so":
            return None
        if GPU.search(base):
            return base if part == "cuda" else None
        return f"lib/{base}" if part == "cpu" else None
    if folder.startswith("nvidia/"):
        if RUNTIME.match(base):
            return f"lib/{base}" if part == "cpu" else None
        return base if part == "cuda" else None
    # Libraries that some wheels bring along under names of their own.
    if folder in ("torch.libs", "torch/.dylibs"):
        return f"lib/{base}" if part == "cpu" else None
    return None


def unpack(path, target, part):
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            where = place(name, part)
            if where is None:
                continue
            where = os.path.join(target, where)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            with wheel.open(name) as source, open(where, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def needs(path, extras):
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        for line in wheel.read(name).decode().splitlines():
            need = re.match(r"Requires-Dist: (nvidia-[\w-]+|cuda-toolkit)(?:\[(.*)\])?==([\d.]+\d)", line)
            extra = re.search(r"extra == ['\"]([\w-]+)", line)
            if need and (extra is None or extra[1] in extras.split(",")):
                print(need[1], need[3], need[2] or "")


def main(command, path, *rest):
    try:
        if command == "space":
            return space(path, int(rest[0]))
        if command == "check":
            return check(path, int(rest[0]), rest[1])
        if command == "unpack":
            return unpack(path, *rest)
        return needs(path, *rest)
    except (OSError, zipfile.BadZipFile) as trouble:
        return str(trouble)


sys.exit(main(*sys.argv[1:]))
