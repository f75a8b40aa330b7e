#!/usr/bin/env python3
"""Runs Trilby and another daprd side by side on the same stores and brokers, and compares what one writes and the other reads.

usage: OTHER_DAPRD=/path/to/daprd python3 conformance/differential [part ...]

Parts: state documents pubsub bindings; all of them without one. TRILBY_BIN is Trilby's program (default: the debug build). The servers are
those of conformance/install. Without OTHER_DAPRD there is nothing to compare with, and everything is skipped.
"""
import os
import pathlib
import sys
import tempfile

import bindings
import documents
import messages
import servers
import state
from check import Check
from sidecar import Pair

PARTS = {"state": state.run, "documents": documents.run, "pubsub": messages.run, "bindings": bindings.run}


def main():
    """Ends with the number of what failed."""
    other = os.environ.get("OTHER_DAPRD")
    if not other:
        print("differential: 0 passed, 0 failed, 1 skipped (OTHER_DAPRD is not set)")
        return 0
    target = os.environ.get("CARGO_TARGET_DIR", os.path.expanduser("~/.cache/trilby/target"))
    ours = os.environ.get("TRILBY_BIN", f"{target}/debug/trilby")
    wanted = sys.argv[1:] or list(PARTS)
    check = Check()
    with tempfile.TemporaryDirectory() as folder, servers.Servers(pathlib.Path(folder)) as started:
        for part in wanted:
            with tempfile.TemporaryDirectory() as logs:
                PARTS[part](check, started, lambda *arguments, logs=logs: Pair(ours, other, logs, *arguments))
    print(f"differential: {check.passed} passed, {check.failed} failed, {check.skipped} skipped")
    return min(check.failed, 1)


sys.exit(main())
