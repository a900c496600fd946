#!/bin/sh
# An environment for the one peer whose pins (numpy < 2) exclude ours.
set -e
cd "$(dirname "$0")/.."
python3.11 -m venv .venv-bettermdptools
.venv-bettermdptools/bin/pip install --quiet bettermdptools
