#!/usr/bin/env bash
# Fetches and builds the programs that galago is compared with, all into one folder outside the tree.
# In: a cache folder. Out: CACHE/venv with torch, transformers, onnxruntime, openvino and nncf (where they install);
# CACHE/llama-SET for each set of instructions: llama.cpp's libraries in bin, its Python bindings in python; llama-server and
# llama-mtmd-cli in CACHE/llama-native/bin.
# Usage: bench/peers/setup.sh CACHE [--torch-index URL] [--sets "native avx2"] [--no-server] [--jobs N]
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: bench/peers/setup.sh CACHE [--torch-index URL] [--sets "native avx2"] [--no-server] [--jobs N]
Makes what bench/peers/compare.py runs, and llama-server for bench/serve/run.py, in CACHE. 15 to 40 minutes on two cores, of
which most is compiling llama.cpp; 6 GB of disk. Steps that are done stay done: a call that was broken off goes on where it was.
Nothing is tried twice by itself: a step that fails says why and ends the call (OpenVINO and NNCF alone may be missing).
  --torch-index URL  where pip finds a CPU build of torch, if its default index has another one
  --sets SETS        builds of llama.cpp: native for this very processor, avx2 for processors without AVX-512; default both
  --no-server        without llama-server and llama-mtmd-cli, which bench/serve/run.py wants and compare.py does not
  --jobs N           compilers at a time; default: one for each core
Set LLAMA_SDIST to a llama_cpp_python-*.tar.gz to build that one instead of the newest.
CACHE/setup.log has what every step printed.
TEXT
}

cache=""
index=()
sets="native avx2"
jobs="$(nproc)"
server=yes
while (($#)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --torch-index) index=(--extra-index-url "${2:?--torch-index needs a URL}"); shift ;;
    --sets) sets="${2:?--sets needs a list}"; shift ;;
    --no-server) server="" ;;
    --jobs) jobs="${2:?--jobs needs a number}"; shift ;;
    -*) echo "setup.sh: unknown argument $1" >&2; usage >&2; exit 64 ;;
    *) cache="$1" ;;
  esac
  shift
done
[[ -n "$cache" ]] || { usage >&2; exit 64; }
for set in $sets; do
  [[ "$set" == native || "$set" == avx2 ]] || { echo "setup.sh: unknown set $set: native or avx2" >&2; exit 64; }
done
mkdir -p "$cache"
cache="$(cd "$cache" && pwd)"
log="$cache/setup.log"
running=""
trap 'if [[ -n "$running" ]]; then kill -- "-$running" 2>/dev/null || true; fi' EXIT
trap 'exit 130' INT TERM

# step NAME COMMAND...: says what begins and what it took; every half minute the last line of what it printed.
# A step that succeeded leaves CACHE/done/NAME and is not done again.
steps=$((4 + $(wc -w <<<"$sets") + (${#server} > 0) + 1))
number=0
step() {
  local name="$1" mark="$cache/done/$1" begin=$SECONDS code=0 ticks=0
  shift
  number=$((number + 1))
  if [[ -e "$mark" ]]; then
    echo "setup.sh: step $number of $steps, $name: done before"
    return 0
  fi
  echo "setup.sh: step $number of $steps, $name"
  echo "== $name" >>"$log"
  set -m  # a process group of its own, so that Ctrl-C ends compilers too
  "$@" >>"$log" 2>&1 </dev/null &
  running=$!
  set +m
  while kill -0 "$running" 2>/dev/null; do
    sleep 1
    ticks=$((ticks + 1))
    ((ticks % 30)) || echo "setup.sh:   $name, $((SECONDS - begin)) s: $(tail -n 1 "$log" | tr '\r' '\n' | tail -n 1 | cut -c 1-100)"
  done
  wait "$running" || code=$?
  running=""
  if ((code)); then
    echo "setup.sh: $name failed after $((SECONDS - begin)) s (exit code $code); the end of $log:" >&2
    tail -n 15 "$log" >&2
    return "$code"
  fi
  mkdir -p "$cache/done"
  : >"$mark"
  echo "setup.sh:   done in $((SECONDS - begin)) s"
}

pip() { PIP_RETRIES=0 PIP_PROGRESS_BAR=off "$cache/venv/bin/pip" --disable-pip-version-check "$@"; }

# Versions of the reference are those of tools/oracle.
reference() {
  [[ -x "$cache/venv/bin/python" ]] || python3 -m venv "$cache/venv" || return
  pip install "${index[@]}" "torch==2.13.0" "transformers==5.18.0" "pillow==12.3.0" safetensors numpy gguf sentencepiece
}

runtimes() { pip install onnx onnxscript onnxruntime sympy; }

openvino() { pip install openvino nncf; }

# The source distribution of the bindings: llama.cpp as a whole, with its converter, which pip does not install.
llama_source() {
  local sdist="${LLAMA_SDIST:-}"
  if [[ -z "$sdist" ]]; then
    pip download --no-deps --no-binary llama-cpp-python -d "$cache" llama-cpp-python || return
    sdist="$(ls -t "$cache"/llama_cpp_python-*.tar.gz | head -n 1)"
  fi
  pip install typing-extensions diskcache jinja2 || return  # what the bindings import
  rm -rf "$cache/llama-source"
  mkdir -p "$cache/llama-source" && tar -xzf "$sdist" -C "$cache/llama-source" --strip-components=1
}

# CMake's settings of a set. Only ggml-cpu is compiled with a processor's instructions.
# BLAS stays off: it is slower than llama.cpp's own products here.
configure() {
  local set="$1" generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  local flags=(-DGGML_NATIVE=ON)
  [[ "$set" == avx2 ]] && flags=(-DGGML_NATIVE=OFF -DGGML_SSE42=ON -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON
    -DGGML_BMI2=ON -DGGML_AVX_VNNI=OFF -DGGML_AVX512=OFF -DGGML_AVX512_VBMI=OFF -DGGML_AVX512_VNNI=OFF -DGGML_AVX512_BF16=OFF
    -DGGML_AMX_TILE=OFF -DGGML_AMX_INT8=OFF -DGGML_AMX_BF16=OFF)
  cmake -S "$cache/llama-source/vendor/llama.cpp" -B "$cache/build-$set" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON -DGGML_CCACHE=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
    "${flags[@]}"
}

# Libraries of one set, and the bindings beside them, which look for their libraries in their own lib.
llama() {
  local set="$1" build="$cache/build-$1" target="$cache/llama-$1"
  configure "$set" || return
  rm -rf "$target"
  mkdir -p "$target/bin" "$target/python" || return
  if [[ "$set" != native && -d "$cache/llama-native/bin" ]]; then  # all but ggml-cpu is the same
    cmake --build "$build" -j "$jobs" --target ggml-cpu || return
    cp -a "$cache/llama-native/bin/." "$target/bin/" || return
  else
    cmake --build "$build" -j "$jobs" --target llama mtmd || return
  fi
  cp -a "$build/bin/." "$target/bin/" || return
  cp -a "$cache/llama-source/llama_cpp" "$target/python/" || return
  rm -rf "$target/python/llama_cpp/lib"
  ln -s ../../bin "$target/python/llama_cpp/lib" || return
  PYTHONPATH="$target/python" "$cache/venv/bin/python" -c "
import llama_cpp, llama_cpp.mtmd_cpp
print(llama_cpp.__version__, llama_cpp.llama_print_system_info().decode())"
}

# The programs, on libraries that are there already.
llama_server() {
  configure native || return
  cmake --build "$cache/build-native" -j "$jobs" --target llama-server llama-mtmd-cli || return
  mkdir -p "$cache/llama-native/bin" && cp -a "$cache/build-native/bin/." "$cache/llama-native/bin/" || return
  "$cache/llama-native/bin/llama-server" --version
}

step reference reference
step onnxruntime runtimes
step openvino openvino || echo "setup.sh: OpenVINO or NNCF does not install here; the comparison goes on without them" >&2
step llama-source llama_source
for set in $sets; do step "llama-$set" llama "$set"; done
[[ -z "$server" ]] || step llama-server llama_server
versions() { "$cache/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|transformers|onnxruntime|openvino|nncf) '; }
number=$((number + 1))
echo "setup.sh: step $number of $steps, versions"
versions
for set in $sets; do
  PYTHONPATH="$cache/llama-$set/python" "$cache/venv/bin/python" -c "
import llama_cpp
print('llama-cpp-python', llama_cpp.__version__, '$set:', llama_cpp.llama_print_system_info().decode().strip())"
done
