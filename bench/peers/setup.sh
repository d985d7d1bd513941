#!/usr/bin/env bash
# Fetches and builds the programs that galago is compared with, all into one folder outside the tree.
# In: a cache folder. Out: CACHE/venv with torch, transformers, onnxruntime, openvino (where it installs) and
# llama.cpp, compiled from llama-cpp-python's source distribution for this very processor, its image part included.
# Usage: bench/peers/setup.sh CACHE [--torch-index URL]
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: bench/peers/setup.sh CACHE [--torch-index URL]
Makes CACHE/venv with everything that bench/peers/compare.py runs. Some minutes and 3 GB of disk.
  --torch-index URL  where pip finds a CPU build of torch, if its default index has another one
Set LLAMA_SDIST to a llama-cpp-python-*.tar.gz to build that one instead of the newest.
TEXT
}

cache=""
index=()
while (($#)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --torch-index) index=(--extra-index-url "${2:?--torch-index needs a URL}"); shift ;;
    -*) echo "setup.sh: unknown argument $1" >&2; usage >&2; exit 64 ;;
    *) cache="$1" ;;
  esac
  shift
done
[[ -n "$cache" ]] || { usage >&2; exit 64; }
mkdir -p "$cache"

[[ -x "$cache/venv/bin/python" ]] || python3 -m venv "$cache/venv"
pip() { "$cache/venv/bin/pip" --disable-pip-version-check -q "$@"; }

# The reference and the two runtimes; versions of the reference are those of tools/oracle.
pip install "${index[@]}" "torch==2.13.0" "transformers==5.18.0" "pillow==12.3.0" safetensors numpy gguf \
  sentencepiece onnx onnxscript onnxruntime
pip install openvino || echo "setup.sh: openvino does not install here; the comparison goes on without it" >&2

# llama.cpp with this processor's instructions; BLAS stays off, it is slower than llama.cpp's own products here.
if ! "$cache/venv/bin/python" -c "import llama_cpp.mtmd_cpp" 2>/dev/null; then
  sdist="${LLAMA_SDIST:-}"
  if [[ -z "$sdist" ]]; then
    pip download --no-deps --no-binary llama-cpp-python -d "$cache" llama-cpp-python
    sdist="$(ls -t "$cache"/llama_cpp_python-*.tar.gz | head -n 1)"
  fi
  # Its converter to GGUF is not part of what pip installs.
  mkdir -p "$cache/llama-source"
  tar -xzf "$sdist" -C "$cache/llama-source" --strip-components=1
  CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF" \
    pip install --no-deps "$sdist"
  pip install diskcache
fi
"$cache/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|transformers|onnxruntime|openvino|llama_cpp_python) '
