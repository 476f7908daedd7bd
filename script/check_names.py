"""Whether the program's global names are each defined once, and are ours by their look.

    check_names.py BUILD        the build's folder, with the objects of a build without sanitizers

A name that two objects define may link by luck: of two archives the linker takes the member that it meets first. Names
are compared over all objects of all folders, also those that no program links together yet. Exit status 1 with a
line for each fault.
"""
import collections
import os
import re
import subprocess
import sys

OURS = re.compile(r"rfi?_")
STRANGERS = {"main"}


def archives(build):
    """The folders' archives and the commands' objects; what tests build for themselves is not part of the program."""
    for folder, below, files in os.walk(build):
        if os.path.basename(folder) == "rowforge.dir":
            yield from (os.path.join(folder, name) for name in sorted(files) if name.endswith(".o"))
        below[:] = [name for name in below if name not in ("tests", "bench", "include", "gpu-deps", "nvidia")]
        yield from (os.path.join(folder, name) for name in sorted(files) if re.fullmatch(r"lib.*\.a", name))


def definitions(path):
    """(object, letter, name) of each symbol that an archive defines."""
    listing = subprocess.run(["nm", "--defined-only", "--format=posix", "--print-file-name", path], check=True,
                             capture_output=True, text=True).stdout
    for line in listing.splitlines():
        where, name, letter = line.split()[:3]
        yield where.rstrip(":"), letter, name


def faults(symbols):
    """Sentences. `symbols`: (object, letter, name); a capital letter is a global name."""
    homes, locals_of = collections.defaultdict(list), collections.defaultdict(list)
    for where, letter, name in symbols:
        (homes if letter.isupper() or letter in "uvw" else locals_of)[name].append(where)
    for name, where in sorted(homes.items()):
        if len(where) > 1:
            yield f"{name} is defined by {' and by '.join(where)}"
        if not OURS.match(name) and name not in STRANGERS:
            yield f"{name}, a global name of {where[0]}, does not begin with rf_ or rfi_"
        if name in locals_of and name not in STRANGERS:
            yield f"{name} of {where[0]} is also a static name of {locals_of[name][0]}"


def main(words):
    if len(words) != 2:
        sys.exit(__doc__)
    # A file of core that is compiled once more for the CUDA plugin is the same file.
    symbols = [symbol for path in archives(words[1]) if "rf_cuda_core" not in path for symbol in definitions(path)]
    if not any(name == "rf_fail" for _, _, name in symbols):
        sys.exit(f"{words[1]} holds no archive of the program")
    found = list(faults(symbols))
    print("\n".join(found) or f"{len(symbols)} names")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
