#!/usr/bin/env bash
# Records on this processor what docs/performance.md compares: stages, peers side by side, older instructions, threads.
# In: a built galago, a model directory, the cache of bench/peers/setup.sh and prepare.py, a quiet machine. Out: files in
# bench/results/PROCESSOR, and the tables of the pages.
# Usage: bench/quiet.sh --galago build/galago --model DIR --cache CACHE [--image FILE] [--rounds 5] [--only "stages peers ..."]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
Usage: bench/quiet.sh --galago PROGRAM --model DIR --cache CACHE [--image FILE] [--rounds 5] [--photo-rounds 3]
                      [--only "stages peers avx2 threads tables"] [--output FOLDER] [--busy]
  --galago PROGRAM  build/galago
  --model DIR       a model directory; the recordings are of tools/oracle/make_true_size.py's true256
  --cache CACHE     folder of bench/peers/setup.sh and prepare.py
  --image FILE      default tests/data/pictures/shapes_640x488.jpg, 17 tiles
  --only PARTS      stages: each stage alone in float32, bfloat16, int8; peers: tile, prefill, decode and photo beside the peers;
                    avx2: tile and decode with every program held to AVX2; threads: one thread and two; tables: fills the pages
  --output FOLDER   default bench/results/PROCESSOR
  --busy            go on although other programs run (for trying it: such recordings are no claim, and say so)
A part that fails does not keep the others from being recorded; the exit code says that one did.
TEXT
}

galago="" model="" cache="" image=tests/data/pictures/shapes_640x488.jpg rounds=5 photo_rounds=3 output="" busy=""
parts="stages peers avx2 threads tables"
while (($#)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --galago) galago="${2:?}"; shift ;;
    --model) model="${2:?}"; shift ;;
    --cache) cache="${2:?}"; shift ;;
    --image) image="${2:?}"; shift ;;
    --rounds) rounds="${2:?}"; shift ;;
    --photo-rounds) photo_rounds="${2:?}"; shift ;;
    --only) parts="${2:?}"; shift ;;
    --output) output="${2:?}"; shift ;;
    --busy) busy=yes ;;
    *) echo "quiet.sh: unknown argument $1" >&2; usage >&2; exit 64 ;;
  esac
  shift
done
[[ -n "$galago" && -n "$model" && -n "$cache" ]] || { usage >&2; exit 64; }
for one in "$galago" "$model" "$image" "$cache/venv/bin/python"; do
  [[ -e "$one" ]] || { echo "quiet.sh: $one is not there" >&2; exit 66; }
done
python="$cache/venv/bin/python"
[[ -n "$output" ]] || output="$(cd bench && python3 -B -c 'import machine; print(machine.results())')"
mkdir -p "$output"

# A load average falls slowly: what counts is who runs now.
quiet() {
  local load
  load="$(cut -d ' ' -f 1 /proc/loadavg)"
  echo "quiet.sh: load average $load"
  [[ -n "$busy" ]] || awk -v load="$load" 'BEGIN { exit !(load < 1) }'
}
quiet || { echo "quiet.sh: other programs run; wait until the load average is below 1, or --busy" >&2; exit 75; }

common=(--galago "$galago" --model "$model" --image "$image")
compare=("$python" -B bench/peers/compare.py "${common[@]}" --cache "$cache" --rounds "$rounds" --photo-rounds "$photo_rounds")

part_stages() {
  # The whole way of a photo is among the peers' tasks.
  local run=(python3 -B bench/stages/run.py "${common[@]}" --runs "$rounds" --without "first token") code=0
  "${run[@]}" -o "$output/stages.json" || code=1
  "${run[@]}" -o "$output/stages-bf16.json" -- --compute bf16 || code=1
  "${run[@]}" -o "$output/stages-int8.json" -- --compute int8 || code=1
  return $code
}

part_peers() {
  "${compare[@]}" -o "$output/peers.json" --tasks tile prefill decode photo --log "$cache/peers.log" \
    --peers llama-f32 llama-bf16 llama-q8_0 llama-q4_0 torch-f32 torch-bf16 onnxruntime-f32 onnxruntime-int8 openvino-f32 \
    openvino-bf16 openvino-int8 --photo-peers llama-bf16 torch-bf16
}

part_avx2() {
  "${compare[@]}" -o "$output/peers-avx2.json" --set avx2 --tasks tile decode --log "$cache/peers-avx2.log" \
    --peers llama-f32 llama-bf16 llama-q8_0 llama-q4_0 --ways galago galago-compute-int8 galago-f32 galago-q8 galago-q4
}

part_threads() { python3 -B bench/stages/threads.py "${common[@]}" --rounds 2 -o "$output/threads.json"; }

part_tables() { python3 -B tools/bench_tables.py; }

failed=0
for part in $parts; do
  declare -F "part_$part" >/dev/null || { echo "quiet.sh: unknown part $part" >&2; exit 64; }
done
for part in $parts; do
  begin=$SECONDS
  echo "quiet.sh: $part"
  "part_$part" || { failed=1; echo "quiet.sh: $part failed" >&2; }
  echo "quiet.sh: $part took $((SECONDS - begin)) s, $SECONDS s in all"
done
exit $failed
