"""Have a build tool run a program, or read a file, that the build may not."""

import os
import subprocess

import aim

SCRIPT = f"#!/bin/sh\n{aim.SHELL}\n"


def make():
    aim.put("Makefile", f"all:\n\t{aim.SHELL}\n")
    subprocess.run([aim.need_program("make")])


def cmake():
    aim.put("run.cmake", f'execute_process(COMMAND sh -c "{aim.SHELL}")\n')
    subprocess.run([aim.need_program("cmake"), "-P", "run.cmake"])


def ninja():
    aim.put("build.ninja", f"rule run\n  command = {aim.SHELL}\nbuild all: run\n")
    subprocess.run([aim.need_program("ninja")])


def gcc_wrapper():
    empty = aim.put("empty.c", "")
    run = aim.put("run", SCRIPT, 0o755)
    subprocess.run([aim.need_program("gcc"), "-wrapper", run, "-c", empty])


def gcc_parts():
    """Have the compiler take its parts from the build."""
    empty = aim.put("empty.c", "")
    aim.put("cc1", SCRIPT, 0o755)
    subprocess.run([aim.need_program("gcc"), "-B", aim.WORK, "-c", empty])


def gcc_includes():
    """Have the compiler copy a file into what it makes."""
    source = aim.put("steal.c", f'#include "{aim.SECRET}"\n')
    subprocess.run([aim.need_program("gcc"), "-E", "-P", source, "-o", "stolen"])
    aim.read("stolen")


def gcc_options():
    """Have the compiler read its options from a file, and say what is wrong with them."""
    done = subprocess.run([aim.need_program("gcc"), "@" + aim.SECRET], capture_output=True)
    aim.take(done.stderr)


def gcc_writes():
    """Have the compiler write its output where the build may not."""
    source = aim.put("text.c", aim.TOKEN)
    subprocess.run([aim.need_program("gcc"), "-E", source, "-o", os.path.join(aim.HOME, aim.TOKEN)])


def git():
    subprocess.run([aim.need_program("git"), "-c", f"alias.run=!{aim.SHELL}", "run"])


def git_reads():
    done = subprocess.run(
        [aim.need_program("git"), "diff", "--no-index", "/dev/null", aim.SECRET],
        capture_output=True,
    )
    aim.take(done.stdout)


def archive():
    """Have the archiver copy a file."""
    subprocess.run([aim.need_program("ar"), "rc", "stolen.a", aim.SECRET])
    aim.read("stolen.a")


def meson():
    """Call a program as meson calls those by which it tries the compiler."""
    subprocess.run([aim.put("meson-private/check.exe", SCRIPT, 0o755)])


WAYS = {
    "make": make,
    "cmake": cmake,
    "ninja": ninja,
    "gcc -wrapper": gcc_wrapper,
    "gcc -B": gcc_parts,
    "gcc includes": gcc_includes,
    "gcc options": gcc_options,
    "gcc writes": gcc_writes,
    "git": git,
    "git reads": git_reads,
    "ar": archive,
    "meson": meson,
}
WAYS[aim.VARIANT]()
