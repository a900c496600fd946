#!/bin/sh
# An environment for the BVH readers of the package index, apart from ours: they bring matplotlib, glm and others along.
set -e
cd "$(dirname "$0")/.."
"${PYTHON:-python3.11}" -m venv .venv-bvh-readers
.venv-bvh-readers/bin/pip install --quiet numpy bvh bvh-converter bvhio bvhsdk bvhtoolbox pybvh upc-pymotion
